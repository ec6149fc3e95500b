"""Rows → the files of a dbt project. Pure: no disk, no dbt, no database."""

from typing import Any, Final

import yaml

from transforms.engine.rows import (
    ColumnRow,
    ProjectRows,
    SourceRow,
    TestRow,
    TransformationRow,
)

#: dbt would append a model's own schema to the target's; people expect the schema they typed.
GENERATE_SCHEMA_NAME: Final = """\
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- else -%}
        {{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
"""


def render(rows: ProjectRows, profile_name: str) -> dict[str, str]:
    """The project's files by path, sorted; paths are made of checked names only."""
    files = {
        "dbt_project.yml": _dump(_project(rows, profile_name)),
        "macros/generate_schema_name.sql": GENERATE_SCHEMA_NAME,
    }
    if rows.sources:
        files["models/sources.yml"] = _dump(
            {"version": 2, "sources": [_source(row) for row in rows.sources]}
        )
    for row in rows.transformations:
        files[row.path] = row.sql if row.sql.endswith("\n") else f"{row.sql}\n"
        files[row.path.removesuffix(".sql") + ".yml"] = _dump(
            {"version": 2, "models": [_model(row)]}
        )
    return dict(sorted(files.items()))


def _project(rows: ProjectRows, profile_name: str) -> dict[str, Any]:
    return {
        "name": rows.name,
        "version": "1.0.0",
        "config-version": 2,
        "profile": profile_name,
        "model-paths": ["models"],
        "macro-paths": ["macros"],
        "flags": {
            "send_anonymous_usage_stats": False,
            "require_generic_test_arguments_property": True,
        },
    }


def _model(row: TransformationRow) -> dict[str, Any]:
    # Our own keys go last: the form's materialization wins over a stray key of the same name.
    config = {**row.config, "materialized": row.materialization}
    if row.schema:
        config["schema"] = row.schema
    if row.tags:
        config["tags"] = list(row.tags)
    model: dict[str, Any] = {"name": row.name}
    if row.description:
        model["description"] = _literal(row.description)
    model["config"] = config
    columns = _columns_with_tests(row)
    if columns:
        model["columns"] = columns
    tests = [_test(test) for test in row.tests if not test.column]
    if tests:
        model["data_tests"] = tests
    return model


def _columns_with_tests(row: TransformationRow) -> list[dict[str, Any]]:
    columns = {column.name: _column(column) for column in row.columns}
    for test in row.tests:
        if test.column:
            column = columns.setdefault(test.column, {"name": test.column})
            column.setdefault("data_tests", []).append(_test(test))
    return list(columns.values())


def _column(column: ColumnRow) -> dict[str, Any]:
    entry = {"name": column.name}
    if column.description:
        entry["description"] = _literal(column.description)
    if column.data_type:
        entry["data_type"] = column.data_type
    return entry


def _test(test: TestRow) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if test.arguments:
        body["arguments"] = {**test.arguments}
        to = body["arguments"].get("to")
        if isinstance(to, str) and "(" not in to:
            body["arguments"]["to"] = f"ref('{to}')"
    body["config"] = {"severity": test.severity}
    if test.where:
        body["config"]["where"] = test.where
    return {test.kind: body}


def _source(row: SourceRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "schema": row.schema or row.name,
        "tables": [
            {
                "name": table.name,
                **({"description": _literal(table.description)} if table.description else {}),
                **({"columns": [_column(c) for c in table.columns]} if table.columns else {}),
            }
            for table in row.tables
        ],
    }


def _literal(text: str) -> str:
    """A description dbt shows as typed: dbt would run Jinja in it."""
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        return text
    if "endraw" in text:
        return text.replace("{", "{ ")
    return f"{{% raw %}}{text}{{% endraw %}}"


def _dump(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
