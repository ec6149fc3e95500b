select
    airport_code,
    airport_name,
    latitude,
    longitude,
    altitude_feet,
    time_zone
from {{ ref('stg_airports') }}
