select id, customer_id, cast(amount as decimal(10,2)) as amount, ordered_at, note, is_paid from {{ ref('raw_orders') }}
