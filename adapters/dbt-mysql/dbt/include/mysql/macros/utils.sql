{# Functions that have another name, or another meaning, in MySQL. #}

{% macro mysql__concat(fields) -%}
  concat({{ fields | join(', ') }})
{%- endmacro %}

{% macro mysql__hash(field) -%}
  md5(cast({{ field }} as char))
{%- endmacro %}

{% macro mysql__length(expression) -%}
  char_length({{ expression }})
{%- endmacro %}

{# Any will do; MariaDB has no function for it. #}
{% macro mysql__any_value(expression) -%}
  max({{ expression }})
{%- endmacro %}

{% macro mysql__bool_or(expression) -%}
  max(case when {{ expression }} then 1 else 0 end)
{%- endmacro %}

{% macro mysql__escape_single_quotes(expression) -%}
  {{ expression | replace("\\", "\\\\") | replace("'", "''") }}
{%- endmacro %}

{% macro mysql__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
  {%- set all -%}
    group_concat({{ measure }} {{ order_by_clause or '' }} separator {{ delimiter_text }})
  {%- endset -%}
  {%- if limit_num -%}
    substring_index({{ all }}, {{ delimiter_text }}, {{ limit_num }})
  {%- else -%}
    {{ all }}
  {%- endif -%}
{%- endmacro %}

{# A part that is not there is empty; negative numbers count from the end. #}
{% macro mysql__split_part(string_text, delimiter_text, part_number) -%}
  {%- set others = '(char_length(' ~ string_text ~ ') - char_length(replace(' ~ string_text ~ ', ' ~ delimiter_text ~ ", '')))" -%}
  case
    when {{ string_text }} is null then null
    when {{ others }} div char_length({{ delimiter_text }}) + 1 < abs({{ part_number }}) then ''
    {% if part_number is number and part_number < 0 -%}
    else substring_index(substring_index({{ string_text }}, {{ delimiter_text }}, {{ part_number }}), {{ delimiter_text }}, 1)
    {%- else -%}
    else substring_index(substring_index({{ string_text }}, {{ delimiter_text }}, {{ part_number }}), {{ delimiter_text }}, -1)
    {%- endif %}
  end
{%- endmacro %}

{% macro mysql__array_construct(inputs, data_type) -%}
  {{ exceptions.raise_compiler_error('MySQL has no arrays.') }}
{%- endmacro %}

{% macro mysql__array_append(array, new_element) -%}
  {{ exceptions.raise_compiler_error('MySQL has no arrays.') }}
{%- endmacro %}

{% macro mysql__array_concat(array_1, array_2) -%}
  {{ exceptions.raise_compiler_error('MySQL has no arrays.') }}
{%- endmacro %}
