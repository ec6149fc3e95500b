select
    flight_id,
    cast(time_hour as timestamptz)        as scheduled_hour,
    make_date(year, month, day)           as flight_date,
    carrier                               as carrier_code,
    flight                                as flight_number,
    tailnum                               as tail_number,
    origin                                as origin_code,
    dest                                  as destination_code,
    distance                              as distance_miles,
    dep_delay                             as departure_delay_minutes,
    arr_delay                             as arrival_delay_minutes,
    air_time                              as air_time_minutes,
    dep_time is null                      as is_cancelled
from {{ source('raw_flights', 'flights') }}
