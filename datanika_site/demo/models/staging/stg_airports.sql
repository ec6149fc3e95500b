select
    faa                                   as airport_code,
    name                                  as airport_name,
    cast(lat as double precision)         as latitude,
    cast(lon as double precision)         as longitude,
    alt                                   as altitude_feet,
    tzone                                 as time_zone
from {{ source('raw_files', 'airports') }}
