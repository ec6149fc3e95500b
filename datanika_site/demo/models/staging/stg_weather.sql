select
    origin                                as airport_code,
    cast(time_hour as timestamptz)        as observed_hour,
    cast(temp as double precision)        as temperature_f,
    cast(wind_speed as double precision)  as wind_speed_mph,
    cast(precip as double precision)      as precipitation_inches,
    cast(visib as double precision)       as visibility_miles
from {{ source('raw_files', 'weather') }}
