{# Times, casts and types. A ``type_…`` is what CAST takes. #}

{% macro mysql__current_timestamp() -%}
  current_timestamp(6)
{%- endmacro %}

{% macro mysql__current_timestamp_backcompat() -%}
  current_timestamp(6)
{%- endmacro %}

{% macro mysql__cast(field, type) -%}
  cast({{ field }} as {{ adapter.cast_type(type) }})
{%- endmacro %}

{% macro mysql__safe_cast(field, type) -%}
  {{ mysql__cast(field, type) }}
{%- endmacro %}

{% macro mysql__cast_bool_to_text(field) -%}
  case when {{ field }} is null then null when {{ field }} then 'true' else 'false' end
{%- endmacro %}

{% macro mysql__type_string() %}char{% endmacro %}
{% macro mysql__type_timestamp() %}datetime(6){% endmacro %}
{% macro mysql__type_float() %}double{% endmacro %}
{% macro mysql__type_numeric() %}decimal(28,6){% endmacro %}
{% macro mysql__type_bigint() %}signed{% endmacro %}
{% macro mysql__type_int() %}signed{% endmacro %}
{% macro mysql__type_boolean() %}signed{% endmacro %}

{% macro mysql__date(year, month, day) -%}
  {%- set day = modules.datetime.date(year, month, day) -%}
  cast('{{ day.isoformat() }}' as date)
{%- endmacro %}

{% macro mysql__dateadd(datepart, interval, from_date_or_timestamp) -%}
  date_add({{ from_date_or_timestamp }}, interval ({{ interval }}) {{ datepart }})
{%- endmacro %}

{# How many borders of the part lie between both, as everywhere in dbt; weeks begin on Sunday. #}
{% macro mysql__datediff(first_date, second_date, datepart) -%}
  {%- set a, b = '(' ~ first_date ~ ')', '(' ~ second_date ~ ')' -%}
  {%- if datepart == 'year' -%}
    (year{{ b }} - year{{ a }})
  {%- elif datepart == 'quarter' -%}
    ((year{{ b }} - year{{ a }}) * 4 + quarter{{ b }} - quarter{{ a }})
  {%- elif datepart == 'month' -%}
    ((year{{ b }} - year{{ a }}) * 12 + month{{ b }} - month{{ a }})
  {%- elif datepart == 'week' -%}
    (((to_days{{ b }} - 1) div 7) - ((to_days{{ a }} - 1) div 7))
  {%- elif datepart == 'day' -%}
    (to_days{{ b }} - to_days{{ a }})
  {%- elif datepart == 'hour' -%}
    (((to_days{{ b }} - to_days{{ a }})) * 24 + hour{{ b }} - hour{{ a }})
  {%- elif datepart == 'minute' -%}
    ((to_days{{ b }} - to_days{{ a }}) * 1440 + (hour{{ b }} - hour{{ a }}) * 60 + minute{{ b }} - minute{{ a }})
  {%- elif datepart == 'second' -%}
    (floor(to_seconds{{ b }}) - floor(to_seconds{{ a }}))
  {%- elif datepart == 'millisecond' -%}
    ((to_seconds{{ b }} - to_seconds{{ a }}) * 1000 + microsecond{{ b }} div 1000 - microsecond{{ a }} div 1000)
  {%- elif datepart == 'microsecond' -%}
    timestampdiff(microsecond, {{ first_date }}, {{ second_date }})
  {%- else -%}
    {{ exceptions.raise_compiler_error("datediff knows no part '" ~ datepart ~ "' on MySQL.") }}
  {%- endif -%}
{%- endmacro %}

{% macro mysql__date_trunc(datepart, date) -%}
  {%- set x = '(' ~ date ~ ')' -%}
  {%- if datepart == 'year' -%}
    cast(makedate(year{{ x }}, 1) as datetime)
  {%- elif datepart == 'quarter' -%}
    cast(makedate(year{{ x }}, 1) + interval (quarter{{ x }} - 1) quarter as datetime)
  {%- elif datepart == 'month' -%}
    cast(date_format({{ date }}, '%Y-%m-01') as datetime)
  {%- elif datepart == 'week' -%}
    cast(date{{ x }} - interval weekday{{ x }} day as datetime)
  {%- elif datepart == 'day' -%}
    cast(date{{ x }} as datetime)
  {%- elif datepart == 'hour' -%}
    cast(date_format({{ date }}, '%Y-%m-%d %H:00:00') as datetime)
  {%- elif datepart == 'minute' -%}
    cast(date_format({{ date }}, '%Y-%m-%d %H:%i:00') as datetime)
  {%- elif datepart == 'second' -%}
    cast(date_format({{ date }}, '%Y-%m-%d %H:%i:%s') as datetime)
  {%- else -%}
    {{ exceptions.raise_compiler_error("date_trunc knows no part '" ~ datepart ~ "' on MySQL.") }}
  {%- endif -%}
{%- endmacro %}

{% macro mysql__last_day(date, datepart) -%}
  {%- if datepart == 'month' -%}
    last_day({{ date }})
  {%- else -%}
    {{ dbt.default_last_day(date, datepart) }}
  {%- endif -%}
{%- endmacro %}
