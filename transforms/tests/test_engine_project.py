"""Rows, their files and their references: pure functions."""

import json

import pytest
import yaml

from common.errors import UserError
from transforms.engine import project

ROWS = project.ProjectRows(
    name="shop",
    transformations=(
        project.TransformationRow(
            name="orders",
            sql="{{ config(tags='own') }}\nselect 1 as id",
            folder="staging/shop",
            materialization="incremental",
            schema="marts",
            description="Uses {{ braces }}.",
            tags=("nightly",),
            config={"unique_key": "id", "meta": {"owner": "data"}, "on_schema_change": "fail"},
            columns=(project.ColumnRow("id", "The key.", "integer"),),
            tests=(
                project.TestRow("id", "unique", where="id > 0"),
                project.TestRow("status", "accepted_values", {"values": ["a", "no"]}, "warn"),
                project.TestRow("id", "relationships", {"to": "customers", "field": "id"}),
            ),
        ),
    ),
    sources=(project.SourceRow("raw", "landing", (project.SourceTable("orders", "Raw."),)),),
)


def test_rows_survive_json_and_render_to_the_files_dbt_reads() -> None:
    assert project.ProjectRows.from_spec(json.loads(json.dumps(ROWS.to_spec()))) == ROWS
    files = project.render(ROWS, "warehouse")
    assert list(files) == [
        "dbt_project.yml",
        "macros/generate_schema_name.sql",
        "models/sources.yml",
        "models/staging/shop/orders.sql",
        "models/staging/shop/orders.yml",
    ]
    settings = yaml.safe_load(files["dbt_project.yml"])
    assert settings["profile"] == "warehouse"
    assert settings["flags"] == {
        "send_anonymous_usage_stats": False,
        "require_generic_test_arguments_property": True,
    }
    assert files["models/staging/shop/orders.sql"] == ROWS.transformations[0].sql + "\n"
    (model,) = yaml.safe_load(files["models/staging/shop/orders.yml"])["models"]
    assert model["description"] == "{% raw %}Uses {{ braces }}.{% endraw %}"
    assert model["config"] == {
        "unique_key": "id",
        "meta": {"owner": "data"},
        "on_schema_change": "fail",
        "materialized": "incremental",
        "schema": "marts",
        "tags": ["nightly"],
    }
    key, status = model["columns"]
    assert key["data_tests"] == [
        {"unique": {"config": {"severity": "error", "where": "id > 0"}}},
        {
            "relationships": {
                "arguments": {"to": "ref('customers')", "field": "id"},
                "config": {"severity": "error"},
            }
        },
    ]
    assert status["data_tests"][0]["accepted_values"]["arguments"] == {"values": ["a", "no"]}
    (source,) = yaml.safe_load(files["models/sources.yml"])["sources"]
    assert (source["name"], source["schema"], source["tables"][0]["name"]) == (
        *("raw", "landing", "orders"),
    )


def test_rows_that_mean_nothing_are_refused_with_a_remedy() -> None:
    for wrong in (
        lambda: project.TransformationRow("a", "select 1", materialization="python"),
        lambda: project.TestRow("id", "custom"),
        lambda: project.TestRow("id", "unique", severity="fatal"),
        lambda: project.TestRow("id", "accepted_values"),
        lambda: project.TestRow("", "unique"),
        lambda: project.ProjectRows("p", (project.TransformationRow("a", ""),) * 2),
    ):
        with pytest.raises(UserError) as refused:
            wrong()
        assert refused.value.remedy


def test_references_are_read_without_running_anything() -> None:
    sql = """
    {# {{ ref('in_a_comment') }} #} {{ config(materialized='table') }}
    {% set wanted = ref("first") %}{% do log(source('raw', "orders")) %}
    select * from {{ wanted }} join {{ ref('shop', 'second') }} using (id)
    {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}
    {% raw %}{{ ref('in_raw') }}{% endraw %} {{ ref(name) }} {{ builtins.ref('third') }}
    """
    found = project.references(sql)
    assert found.refs == {"first", "second", "third"}
    assert found.sources == {("raw", "orders")}
    assert (found.error, found.line) == ("", None)


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("{{ ref('a') }}\n{% if x %}", 2),
        ("{{ ref('a') }}\n\n{{ oops }", 3),
        ("{{ ref('a') }} {{", 1),
        ("{{ ref('a') }} {% nonsense %}", 1),
    ],
)
def test_half_typed_text_still_tells_what_it_can(sql: str, line: int) -> None:
    found = project.references(sql)
    assert found.refs == {"a"}
    assert found.line == line
    assert found.error
