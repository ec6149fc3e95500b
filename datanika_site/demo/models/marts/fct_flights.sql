-- One row per scheduled departure. Only new hours are built again.
select
    flight_id,
    scheduled_hour,
    flight_date,
    carrier_code,
    flight_number,
    tail_number,
    origin_code,
    destination_code,
    distance_miles,
    departure_delay_minutes,
    arrival_delay_minutes,
    is_cancelled,
    case
        when is_cancelled then 'cancelled'
        when arrival_delay_minutes is null then 'diverted'
        when arrival_delay_minutes > 15 then 'late'
        else 'on time'
    end                                   as outcome,
    wind_speed_mph,
    precipitation_inches,
    visibility_miles
from {{ ref('int_flights_with_weather') }}
{% if is_incremental() %}
where scheduled_hour >= (select max(scheduled_hour) from {{ this }})
{% endif %}
