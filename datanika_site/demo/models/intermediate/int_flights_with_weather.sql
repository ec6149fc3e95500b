select
    flights.*,
    weather.temperature_f,
    weather.wind_speed_mph,
    weather.precipitation_inches,
    weather.visibility_miles
from {{ ref('stg_flights') }} as flights
left join {{ ref('stg_weather') }} as weather
    on weather.airport_code = flights.origin_code
    and weather.observed_hour = flights.scheduled_hour
