select
    tailnum                               as tail_number,
    year                                  as built_year,
    manufacturer,
    model,
    engines                               as engine_count,
    seats                                 as seat_count,
    engine                                as engine_type
from {{ source('raw_fleet', 'planes') }}
