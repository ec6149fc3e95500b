{{ config(materialized='incremental', incremental_strategy='merge', unique_key=['id'], merge_exclude_columns=['note']) }} select id, amount, note from {{ ref('stg_orders') }}
