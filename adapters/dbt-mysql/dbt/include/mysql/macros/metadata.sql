{# What stands in the server; MySQL has one catalog, named def, above its schemas. MySQL 8 gives upper-case names to columns of information_schema, so all have an alias. #}

{% macro mysql__generate_database_name(custom_database_name, node) -%}
  {{ return('def') }}
{%- endmacro %}

{% macro mysql__list_schemas(database) -%}
  {% call statement('list_schemas', fetch_result=True, auto_begin=False) -%}
    select schema_name as name from information_schema.schemata
  {%- endcall %}
  {{ return(load_result('list_schemas').table) }}
{%- endmacro %}

{% macro mysql__check_schema_exists(information_schema, schema) -%}
  {% call statement('check_schema_exists', fetch_result=True, auto_begin=False) -%}
    select count(*) as found from information_schema.schemata where schema_name = {{ mysql__text(schema) }}
  {%- endcall %}
  {{ return(load_result('check_schema_exists').table) }}
{%- endmacro %}

{% macro mysql__create_schema(relation) -%}
  {%- call statement('create_schema') -%}
    create database if not exists {{ relation.without_identifier() }} character set utf8mb4
  {%- endcall -%}
{%- endmacro %}

{% macro mysql__drop_schema(relation) -%}
  {%- call statement('drop_schema') -%}
    drop database if exists {{ relation.without_identifier() }}
  {%- endcall -%}
{%- endmacro %}

{% macro mysql__list_relations_without_caching(schema_relation) -%}
  {% call statement('list_relations_without_caching', fetch_result=True, auto_begin=False) -%}
    select table_catalog as database_name, table_name as name, table_schema as schema_name,
      case table_type when 'VIEW' then 'view' when 'SYSTEM VIEW' then 'view' else 'table' end as kind
    from information_schema.tables
    where table_schema = {{ mysql__text(schema_relation.schema) }}
  {%- endcall %}
  {{ return(load_result('list_relations_without_caching').table) }}
{%- endmacro %}

{# Not from information_schema: temporary tables are not in it. #}
{% macro mysql__get_columns_in_relation(relation) -%}
  {% call statement('get_columns_in_relation', fetch_result=True, auto_begin=False) -%}
    show columns from {{ relation.render() }}
  {%- endcall %}
  {{ return(adapter.columns_of(load_result('get_columns_in_relation')['data'])) }}
{%- endmacro %}

{% macro mysql__get_catalog(information_schema, schemas) -%}
  {% set names = [] %}
  {% for schema in schemas %}{% do names.append(mysql__text(schema)) %}{% endfor %}
  {{ return(mysql__catalog('t.table_schema in (' ~ (names | join(', ')) ~ ')')) }}
{%- endmacro %}

{% macro mysql__get_catalog_relations(information_schema, relations) -%}
  {% set pairs = [] %}
  {% for relation in relations %}
    {% do pairs.append('(' ~ mysql__text(relation.schema) ~ ', ' ~ mysql__text(relation.identifier) ~ ')') %}
  {% endfor %}
  {{ return(mysql__catalog('(t.table_schema, t.table_name) in (' ~ (pairs | join(', ')) ~ ')')) }}
{%- endmacro %}

{% macro mysql__catalog(condition) -%}
  {% call statement('catalog', fetch_result=True, auto_begin=False) -%}
    select
      t.table_catalog as table_database,
      t.table_schema as table_schema,
      t.table_name as table_name,
      case t.table_type when 'VIEW' then 'view' else 'table' end as table_type,
      case t.table_type when 'VIEW' then null else nullif(t.table_comment, '') end as table_comment,
      null as table_owner,
      c.column_name as column_name,
      c.ordinal_position as column_index,
      c.column_type as column_type,
      nullif(c.column_comment, '') as column_comment
    from information_schema.tables as t
    join information_schema.columns as c
      on c.table_schema = t.table_schema and c.table_name = t.table_name
    where {{ condition }}
    order by t.table_schema, t.table_name, c.ordinal_position
  {%- endcall %}
  {{ return(load_result('catalog').table) }}
{%- endmacro %}

{% macro mysql__get_show_grant_sql(relation) -%}
  select grantee as grantee, privilege_type as privilege_type from information_schema.table_privileges
  where table_schema = {{ mysql__text(relation.schema) }} and table_name = {{ mysql__text(relation.identifier) }}
{%- endmacro %}

{# Accounts are written as they are in MySQL: 'name'@'host'. #}
{% macro mysql__get_revoke_sql(relation, privilege, grantees) -%}
  revoke {{ privilege }} on {{ relation.render() }} from {{ grantees | join(', ') }}
{%- endmacro %}

{# A text of ours as a literal. #}
{% macro mysql__text(value) -%}
  '{{ value | replace("\\", "\\\\") | replace("'", "''") }}'
{%- endmacro %}
