select
    tail_number,
    manufacturer,
    model,
    built_year,
    engine_count,
    seat_count,
    engine_type
from {{ ref('stg_planes') }}
