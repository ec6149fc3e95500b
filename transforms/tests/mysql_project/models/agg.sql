select customer_id, {{ dbt.listagg('note', "', '", "order by id") }} as notes, {{ dbt.listagg('id', "'|'", "order by id desc", 1) }} as one, {{ dbt.bool_or('amount > 50') }} as big, {{ dbt.any_value('note') }} as n from {{ ref('stg_orders') }} group by customer_id
{% if false %} {{ dbt.except() }} {% endif %}
