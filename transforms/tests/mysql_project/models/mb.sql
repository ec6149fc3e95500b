{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ordered_at', batch_size='month', begin='2026-01-01') }}
select id, amount, ordered_at from {{ ref('stg_orders') }}
