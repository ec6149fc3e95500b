{{ config(materialized='table') }}
select id, name, cast(1.5 as decimal(8,2)) as rate, {{ dbt.current_timestamp() }} as made_at from {{ ref('stg_customers') }}
