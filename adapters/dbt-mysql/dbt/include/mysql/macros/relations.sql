{# Making, renaming and changing of tables and views. #}

{% macro mysql__create_view_as(relation, sql) -%}
  {%- set header = config.get('sql_header', none) -%}
  {{ header if header is not none }}
  create or replace view {{ relation.render() }}
  {% if config.get('contract').enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif %}
  as
  {{ sql }}
{%- endmacro %}

{# With a contract the columns are declared, and filled from columns of the same name. #}
{% macro mysql__create_table_as(temporary, relation, sql) -%}
  {%- set header = config.get('sql_header', none) -%}
  {{ header if header is not none }}
  create {% if temporary %}temporary {% endif %}table {{ relation.render() }}
  {% if config.get('contract').enforced and not temporary %}
    {{ get_assert_columns_equivalent(sql) }}
    {{ get_table_columns_and_constraints() }}
    {%- set sql = get_select_subquery(sql) %}
  {% endif %}
  as
  {{ sql }}
{%- endmacro %}

{% macro mysql__drop_table(relation) -%}
  drop table if exists {{ relation.render() }}
{%- endmacro %}

{% macro mysql__drop_view(relation) -%}
  drop view if exists {{ relation.render() }}
{%- endmacro %}

{% macro mysql__get_rename_table_sql(relation, new_name) -%}
  rename table {{ relation.render() }} to {{ relation.incorporate(path={'identifier': new_name}).render() }}
{%- endmacro %}

{% macro mysql__get_rename_view_sql(relation, new_name) -%}
  {{ mysql__get_rename_table_sql(relation, new_name) }}
{%- endmacro %}

{% macro mysql__rename_relation(from_relation, to_relation) -%}
  {% call statement('rename_relation') -%}
    rename table {{ from_relation.render() }} to {{ to_relation.render() }}
  {%- endcall %}
{%- endmacro %}

{% macro mysql__alter_column_type(relation, column_name, new_column_type) -%}
  {% call statement('alter_column_type') -%}
    alter table {{ relation.render() }} modify column {{ adapter.quote(column_name) }} {{ new_column_type }}
  {%- endcall %}
{%- endmacro %}

{% macro mysql__validate_sql(sql) -%}
  {% call statement('validate_sql') -%}
    explain {{ sql }}
  {%- endcall %}
  {{ return(load_result('validate_sql')) }}
{%- endmacro %}

{% macro mysql__alter_relation_comment(relation, comment) -%}
  {# A view cannot have one. #}
  {%- if relation.is_view -%}
    select 1
  {%- else -%}
    alter table {{ relation.render() }} comment = {{ mysql__text(comment) }}
  {%- endif -%}
{%- endmacro %}

{# A column's comment is changed by its whole definition, which is read first. #}
{% macro mysql__alter_column_comment(relation, column_dict) -%}
  {% if relation.is_view or not column_dict %}{{ return('') }}{% endif %}
  {% call statement('definitions', fetch_result=True, auto_begin=False) -%}
    select column_name as name, column_type as type, is_nullable as nullable, character_set_name as charset,
      collation_name as collation, extra as extra
    from information_schema.columns
    where table_schema = {{ mysql__text(relation.schema) }} and table_name = {{ mysql__text(relation.identifier) }}
  {%- endcall %}
  {% set comments = {} %}
  {% for name, column in column_dict.items() %}
    {% if column['description'] %}{% do comments.update({name | lower: column['description']}) %}{% endif %}
  {% endfor %}
  {% set changes = [] %}
  {% for row in load_result('definitions')['data'] if (row[0] | lower) in comments and not row[5] %}
    {% set change -%}
      modify column {{ adapter.quote(row[0]) }} {{ row[1] }}
      {%- if row[3] %} character set {{ row[3] }} collate {{ row[4] }}{% endif %}
      {%- if row[2] == 'NO' %} not null{% else %} null{% endif %} comment {{ mysql__text(comments[row[0] | lower]) }}
    {%- endset %}
    {% do changes.append(change) %}
  {% endfor %}
  {{ return('alter table ' ~ relation.render() ~ ' ' ~ (changes | join(', ')) if changes else '') }}
{%- endmacro %}
