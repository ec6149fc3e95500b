{{ config(materialized='incremental', unique_key='id', on_schema_change='append_new_columns') }}
select id, amount, ordered_at {% if var('wide', false) %}, 1 as extra{% endif %} from {{ ref('stg_orders') }}
{% if is_incremental() %} where id >= (select max(id) from {{ this }}) {% endif %}
