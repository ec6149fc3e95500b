{# What is built stands under another name until it is whole; one RENAME TABLE puts it where readers look. #}

{% materialization table, adapter='mysql' -%}
  {{ return(mysql__build_aside('table')) }}
{%- endmaterialization %}

{% materialization view, adapter='mysql' -%}
  {{ return(mysql__build_aside('view')) }}
{%- endmaterialization %}

{% macro mysql__build_aside(type) -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set target = this.incorporate(type=type) -%}
  {%- set aside = make_intermediate_relation(target) -%}
  {%- set backup = make_backup_relation(target, existing.type if existing else type) -%}
  {%- set grants = config.get('grants') -%}

  {{ drop_relation_if_exists(load_cached_relation(aside)) }}
  {{ drop_relation_if_exists(load_cached_relation(backup)) }}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {% call statement('main') -%}
    {{ get_create_table_as_sql(False, aside, sql) if type == 'table' else get_create_view_as_sql(aside, sql) }}
  {%- endcall %}
  {% if type == 'table' %}{% do create_indexes(aside) %}{% endif %}

  {% call statement('swap') -%}
    rename table
      {% if existing %}{{ existing.render() }} to {{ backup.render() }},{% endif %}
      {{ aside.render() }} to {{ target.render() }}
  {%- endcall %}

  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {% do apply_grants(target, grants, should_revoke=should_revoke(existing, full_refresh_mode=True)) %}
  {% do persist_docs(target, model) %}
  {{ adapter.commit() }}
  {{ drop_relation_if_exists(backup if existing else none) }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target]}) }}
{%- endmacro %}

{# Indexes as for PostgreSQL: {'columns': [...], 'unique': true}. #}
{% macro mysql__get_create_index_sql(relation, index_dict) -%}
  {%- set columns = [] -%}
  {%- for name in index_dict['columns'] %}{% do columns.append(adapter.quote(name)) %}{% endfor -%}
  alter table {{ relation.render() }} add {{ 'unique ' if index_dict.get('unique') }}index ({{ columns | join(', ') }})
{%- endmacro %}

{% macro mysql__get_incremental_default_sql(arguments) -%}
  {% if arguments['unique_key'] %}
    {{ return(get_incremental_delete_insert_sql(arguments)) }}
  {% else %}
    {{ return(get_incremental_append_sql(arguments)) }}
  {% endif %}
{%- endmacro %}

{# The rows of the batch in place of those that stand in its span of time. #}
{% macro mysql__get_incremental_microbatch_sql(arguments) -%}
  {%- set target, source = arguments['target_relation'], arguments['temp_relation'] -%}
  {%- set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) -%}
  {%- set spans = [] -%}
  {%- if model.config.get('__dbt_internal_microbatch_event_time_start') -%}
    {%- do spans.append(model.config.event_time ~ ' >= ' ~ mysql__moment(model.config.__dbt_internal_microbatch_event_time_start)) -%}
  {%- endif -%}
  {%- if model.config.get('__dbt_internal_microbatch_event_time_end') -%}
    {%- do spans.append(model.config.event_time ~ ' < ' ~ mysql__moment(model.config.__dbt_internal_microbatch_event_time_end)) -%}
  {%- endif -%}
  {%- for predicate in arguments['incremental_predicates'] or [] %}{% do spans.append(predicate) %}{% endfor -%}
  {%- if spans -%}
    delete from {{ target }} where {{ spans | join(' and ') }};
  {%- endif %}
  insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ source }}
{%- endmacro %}

{% macro mysql__moment(value) -%}
  cast('{{ adapter.moment(value) }}' as datetime(6))
{%- endmacro %}

{# DELETE has no alias for its table. #}
{% macro mysql__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- if unique_key -%}
    {%- set key = [unique_key] if unique_key is string else unique_key -%}
    delete from {{ target }}
    where ({{ key | join(', ') }}) in (select {{ key | join(', ') }} from {{ source }})
    {%- for predicate in incremental_predicates or [] %} and {{ predicate }}{% endfor %};
  {%- endif %}
  insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ source }}
{%- endmacro %}

{# MySQL has no MERGE: rows there are updated, the others inserted. #}
{% macro mysql__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- if not unique_key -%}
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ source }}
  {%- else -%}
    {%- set key = [unique_key] if unique_key is string else unique_key -%}
    {%- set same = [] -%}
    {%- for name in key %}{% do same.append('DBT_INTERNAL_DEST.' ~ name ~ ' = DBT_INTERNAL_SOURCE.' ~ name) %}{% endfor -%}
    {%- set changed = get_merge_update_columns(
      config.get('merge_update_columns'), config.get('merge_exclude_columns'), dest_columns
    ) -%}
    {%- set same = (same + (incremental_predicates or [])) | join(' and ') -%}
    {%- if changed %}
    update {{ target }} as DBT_INTERNAL_DEST join {{ source }} as DBT_INTERNAL_SOURCE on {{ same }}
    set {% for name in changed %}DBT_INTERNAL_DEST.{{ name }} = DBT_INTERNAL_SOURCE.{{ name }}{{ ', ' if not loop.last }}{% endfor %};
    {%- endif %}
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ source }} as DBT_INTERNAL_SOURCE
    where not exists (select 1 from {{ target }} as DBT_INTERNAL_DEST where {{ same }})
  {%- endif %}
{%- endmacro %}

{# A comment needs a space behind its dashes. #}
{% macro mysql__snapshot_staging_table(strategy, source_sql, target_relation) -%}
  {{ default__snapshot_staging_table(strategy, source_sql, target_relation) | replace('--avoid', '-- avoid') }}
{%- endmacro %}

{% macro mysql__snapshot_hash_arguments(arguments) -%}
  md5(concat_ws('|'{% for argument in arguments %}, coalesce(cast({{ argument }} as char), ''){% endfor %}))
{%- endmacro %}

{% macro mysql__snapshot_string_as_time(timestamp) -%}
  {{ return("cast('" ~ timestamp ~ "' as datetime(6))") }}
{%- endmacro %}

{# MySQL has no MERGE: what ends is updated, what begins is inserted. #}
{% macro mysql__snapshot_merge_sql(target, source, insert_cols) -%}
  {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
  {%- set names = insert_cols | join(', ') -%}
  {%- set current = config.get('dbt_valid_to_current') -%}
  update {{ target.render() }} as destination
  join {{ source }} as news on news.{{ columns.dbt_scd_id }} = destination.{{ columns.dbt_scd_id }}
  set destination.{{ columns.dbt_valid_to }} = news.{{ columns.dbt_valid_to }}
  where news.dbt_change_type in ('update', 'delete')
    and (destination.{{ columns.dbt_valid_to }} is null
      {%- if current %} or destination.{{ columns.dbt_valid_to }} = {{ current }}{% endif %});
  insert into {{ target.render() }} ({{ names }})
  select {{ names }} from {{ source }} as news where news.dbt_change_type = 'insert'
{%- endmacro %}
