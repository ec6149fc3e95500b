"""What can be said about how tables are loaded: every contradiction is named, and nothing gets lost on the way."""

from typing import Any

import pytest

from connections.connectors.filters import OPERATORS
from pipelines import yaml
from pipelines.definition import (
    PIPELINE_KEYS,
    PipelineDefinition,
    ResourceDefinition,
    canonical_lookback,
)
from pipelines.errors import InvalidPipeline
from pipelines.models import FilterOperator, MergeStrategy, Verify, WriteDisposition
from pipelines.tests.factories import definition

MERGED: dict[str, Any] = {"name": "orders", "write_disposition": "merge", "primary_key": ["id"]}
CURSOR: dict[str, Any] = {**MERGED, "cursor_column": "updated_at"}
SQL = "select id, total from orders"
#: Everything that can be said, of a whole database and of queries.
WHOLE: dict[str, Any] = {
    "name": "Shop",
    "tags": ["nightly"],
    "description": "All of it",
    "mode": "full_database",
    "dataset": "raw_shop",
    "source_schema": "main",
    "include": ["ord*", "customers"],
    "exclude": ["*_tmp"],
    "write_disposition": "merge",
    "merge_strategy": "delete_insert",
    "schema_contract": {"tables": "evolve", "columns": "discard_value", "data_type": "freeze"},
    "verify": "sums",
    "resources": [
        {
            "name": "orders",
            "target": "the_orders",
            "query": "",
            "is_selected": True,
            "write_disposition": "merge",
            "merge_strategy": "scd2",
            "primary_key": ["id", "shop"],
            "cursor_column": "updated_at",
            "cursor_initial": "2024-01-01",
            "cursor_lookback": "15 minutes",
            "row_order": "desc",
            "columns": ["id", "shop", "updated_at", "email", "phone"],
            "column_settings": {
                "id": {"rename": "order_id", "transform": "hash"},
                "phone": {"transform": "mask"},
                "updated_at": {"rename": "changed"},
            },
            "filters": [
                {"column": "status", "op": "is_null", "value": False},
                {
                    "or": [
                        {"column": "id", "op": "between", "value": [1, 9]},
                        {"and": [{"column": "email", "op": "like", "value": "%@x.org"}]},
                    ]
                },
            ],
            "schema_contract": {"columns": "freeze"},
            "verify": "none",
        },
        ResourceDefinition(name="customers", target="customers").as_dict(),
    ],
}


def one(mode: str = "single_table", **changes: Any) -> dict[str, Any]:
    """A pipeline of the resource orders with these settings."""
    resource = {"name": "orders", **changes}
    return definition(mode=mode, resources=[resource])


def refused(data: dict[str, Any]) -> InvalidPipeline:
    with pytest.raises(InvalidPipeline) as caught:
        PipelineDefinition.parse(data)
    assert caught.value.message.endswith(".")
    return caught.value


def test_everything_comes_back_through_json_and_yaml() -> None:
    parsed = PipelineDefinition.parse(WHOLE)
    assert parsed.as_dict() == WHOLE
    assert tuple(parsed.as_dict()) == PIPELINE_KEYS
    assert PipelineDefinition.parse(parsed.as_dict()) == parsed
    text = yaml.to_yaml(parsed, source="a", destination="b")
    assert yaml.from_yaml(text) == (parsed, {"source": "a", "destination": "b"})
    assert "is_selected" not in text, "what is at its default is left out"


def test_a_query_comes_back_as_lines() -> None:
    sql = "with recent as (\n  select * from orders -- all; of them\n)\nselect * from recent"
    data = one("query", query=f"{sql};\n")
    parsed = PipelineDefinition.parse(data)
    assert parsed.resources[0].query == sql
    text = yaml.to_yaml(parsed, source="a", destination="b")
    assert "query: |" in text
    assert yaml.from_yaml(text)[0] == parsed


def test_a_resource_takes_what_it_does_not_say_from_the_pipeline() -> None:
    parsed = PipelineDefinition.parse(WHOLE)
    own, silent = (parsed.filled(resource) for resource in parsed.resources)
    assert (own.merge_strategy, own.verify) == (MergeStrategy.SCD2, Verify.NONE)
    assert own.schema_contract == {"columns": "freeze"}
    assert silent.write_disposition is WriteDisposition.MERGE
    assert silent.merge_strategy is MergeStrategy.DELETE_INSERT
    assert silent.schema_contract == WHOLE["schema_contract"]
    assert silent.verify is Verify.SUMS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        # keys and values
        ({"merge_strategy": "x"}, "merge_strategy"),
        ({"verify": "all"}, "verify"),
        ({"schema_contract": {"rows": "freeze"}}, "schema_contract.rows"),
        ({"schema_contract": {"columns": "thaw"}}, "schema_contract.columns"),
        ({"schema_contract": "freeze"}, "schema_contract"),
        ({"include": ["a"]}, "include"),
        ({"exclude": "a, b"}, "exclude"),
        ({"mode": "full_database", "include": [1]}, "include"),
        ({"mode": "full_database", "include": ["a" * 256]}, "include"),
        # of the whole
        ({"merge_strategy": "scd2", "resources": [{"name": "orders"}]}, "merge_strategy"),
        ({"mode": "full_database", "resources": [], "merge_strategy": "scd2"}, "merge_strategy"),
        ({"mode": "query", "resources": []}, "resources"),
        ({"write_disposition": "merge", "resources": [{"name": "t"}]}, "resources[0].primary_key"),
        (
            {"write_disposition": "replace", "resources": [{"name": "t", "cursor_column": "c"}]},
            "resources[0].cursor_column",
        ),
    ],
)
def test_mistakes_of_the_pipeline(changes: dict[str, Any], field: str) -> None:
    assert refused(definition(**changes)).field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"row_order": "up", **CURSOR}, "row_order"),
        ({"merge_strategy": "scd3", **MERGED}, "merge_strategy"),
        ({"merge_strategy": "scd2", "write_disposition": "append"}, "merge_strategy"),
        ({"cursor_lookback": "15 minutes", **MERGED}, "cursor_lookback"),
        ({"cursor_lookback": "soon", **CURSOR}, "cursor_lookback"),
        ({"cursor_lookback": "-1", **CURSOR}, "cursor_lookback"),
        ({"cursor_lookback": "1.5 hours", **CURSOR}, "cursor_lookback"),
        ({"row_order": "asc", **MERGED}, "row_order"),
        (
            {"row_order": "asc", "write_disposition": "append", "cursor_column": "c"},
            "row_order",
        ),
        ({"query": SQL}, "query"),
        ({"column_settings": ["id"]}, "column_settings"),
        ({"column_settings": {"id": "hash"}}, "column_settings.id"),
        ({"column_settings": {"id": {"renamed": "x"}}}, "column_settings.id.renamed"),
        ({"column_settings": {"id": {"transform": "rot13"}}}, "column_settings.id.transform"),
        ({"column_settings": {"id": {"rename": "n" * 64}}}, "column_settings.id.rename"),
        ({"column_settings": {"id": {"rename": "_dlt_id"}}}, "column_settings.id.rename"),
        ({"column_settings": {"id": {"rename": "a\nb"}}}, "column_settings.id.rename"),
        (
            {"column_settings": {"a": {"rename": "x"}, "b": {"rename": "X"}}},
            "column_settings.b.rename",
        ),
        (
            {"columns": ["a", "b"], "column_settings": {"a": {"rename": "B"}}},
            "column_settings.a.rename",
        ),
        ({"columns": ["a"], "column_settings": {"b": {"rename": "x"}}}, "column_settings.b"),
        (
            {**MERGED, "column_settings": {"id": {"transform": "mask"}}},
            "column_settings.id.transform",
        ),
        (
            {**CURSOR, "column_settings": {"updated_at": {"transform": "hash"}}},
            "column_settings.updated_at.transform",
        ),
        ({"schema_contract": {"columns": True}}, "schema_contract.columns"),
    ],
)
def test_mistakes_of_a_resource(changes: dict[str, Any], field: str) -> None:
    assert refused(one(**changes)).field == f"resources[0].{field}"


def test_what_may_stand_together() -> None:
    """Names change places, a hashed key, a renamed cursor, a merge by the keys of the source."""
    swapped = {"a": {"rename": "b"}, "b": {"rename": "a"}}
    PipelineDefinition.parse(one(columns=["a", "b"], column_settings=swapped))
    settings = {"id": {"transform": "hash"}, "updated_at": {"rename": "at"}, "x": {}}
    parsed = PipelineDefinition.parse(one(**CURSOR, column_settings=settings)).resources[0]
    assert "x" not in parsed.column_settings
    whole = {"mode": "full_database", "write_disposition": "merge"}
    PipelineDefinition.parse(definition(**whole, resources=[]))
    PipelineDefinition.parse(definition(**whole, resources=[{"name": "t", "verify": "counts"}]))
    own = {"name": "t", "write_disposition": "merge"}
    assert refused(definition(**whole, resources=[own])).field == "resources[0].primary_key"
    # The pipeline's strategy is for those that merge.
    appended = {"name": "log", "write_disposition": "append"}
    PipelineDefinition.parse(definition(**whole, merge_strategy="scd2", resources=[appended]))


def test_lookbacks_have_one_spelling() -> None:
    spelled = {"": "", "100": "100", "0.5": "0.5", "90 s": "90 seconds", "1 day": "1 days"}
    spelled |= {"15 Minutes": "15 minutes", "2hours": "2 hours", "007 days": "7 days"}
    assert {text: canonical_lookback(text) for text in spelled} == spelled


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        (f"  {SQL} ; ", SQL),
        (f"/* the; first */ {SQL};;\n-- the end;", f"/* the; first */ {SQL}"),
        ("(select 1) union (select 2);", "(select 1) union (select 2)"),
        ("WITH a AS (SELECT ';') SELECT * FROM a", "WITH a AS (SELECT ';') SELECT * FROM a"),
        ("""select "a;b", `c;d`, 'it''s; ok' from t""", None),
        (r"select E'it\'s; ok', $$a;b$$, $x$;$x$ from t", None),
    ],
)
def test_one_statement_that_reads(sql: str, kept: str | None) -> None:
    parsed = PipelineDefinition.parse(one("query", query=sql))
    assert parsed.resources[0].query == (sql if kept is None else kept)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("  ", "no SQL"),
        (" ; ", "needs its SQL"),
        ("-- select 1", "needs its SQL"),
        ("delete from orders", "begins with SELECT or WITH"),
        ("selection", "begins with SELECT or WITH"),
        (f"{SQL}; drop table orders", "more than one"),
        (r"select E'\'' ; drop table orders; --'", "more than one"),
        ("select a$b$ from t; delete from t where x = '$b$'", "more than one"),
        ("select '" + "x" * 50_000, "longer than"),
    ],
)
def test_what_is_no_query(sql: str, words: str) -> None:
    error = refused(one("query", query=sql))
    assert error.field == "resources[0].query"
    assert words in error.message


@pytest.mark.parametrize("hidden", ["/*", "'", "$a$", "`"])
def test_a_hostile_query_takes_no_time(hidden: str) -> None:
    sql = "select " + f"{hidden} " * (49_000 // (len(hidden) + 1))
    ResourceDefinition.parse({"name": "a", "query": sql}, where="resource")


def test_a_query_has_a_name() -> None:
    data = definition(mode="query", resources=[{"name": "open orders", "query": SQL}])
    assert refused(data).field == "resources[0].name"


def test_filters_know_the_operators_of_the_connectors() -> None:
    assert set(FilterOperator.values) == set(OPERATORS)
