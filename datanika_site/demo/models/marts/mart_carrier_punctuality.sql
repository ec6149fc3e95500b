select
    airlines.carrier_name,
    count(*)                                                            as flights,
    count(*) filter (where flights.outcome = 'on time')                 as on_time_flights,
    count(*) filter (where flights.outcome = 'cancelled')               as cancelled_flights,
    round(100.0 * count(*) filter (where flights.outcome = 'on time') / count(*), 1)
                                                                        as on_time_percent,
    round(avg(flights.arrival_delay_minutes), 1)                        as average_arrival_delay
from {{ ref('fct_flights') }} as flights
inner join {{ ref('stg_airlines') }} as airlines
    on airlines.carrier_code = flights.carrier_code
group by airlines.carrier_name
