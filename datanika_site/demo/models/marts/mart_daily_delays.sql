select
    flight_date,
    origin_code,
    count(*)                                              as flights,
    count(*) filter (where is_cancelled)                  as cancelled_flights,
    round(avg(departure_delay_minutes), 1)                as average_departure_delay,
    max(wind_speed_mph)                                   as strongest_wind_mph,
    sum(precipitation_inches)                             as precipitation_inches
from {{ ref('fct_flights') }}
group by flight_date, origin_code
