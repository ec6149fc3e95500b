"""Definitions: what is wrong is named by its path, and YAML gives back what it was given."""

from typing import Any

import pytest

from pipelines import yaml
from pipelines.definition import PipelineDefinition, default_target
from pipelines.errors import InvalidPipeline
from pipelines.tests.factories import definition


def resource(**changes: Any) -> dict[str, Any]:
    return {"name": "orders", **changes}


def row_filter(**changes: Any) -> dict[str, Any]:
    return {"column": "status", "op": "eq", "value": "paid", **changes}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "n" * 81}, "name"),
        ({"name": ["x"]}, "name"),
        ({"speed": 3}, "speed"),
        ({"mode": "all"}, "mode"),
        ({"dataset": "Raw-Shop"}, "dataset"),
        ({"source_schema": "s" * 256}, "source_schema"),
        ({"write_disposition": "upsert"}, "write_disposition"),
        ({"resources": {}, "mode": "files"}, "resources"),
        ({"resources": "orders"}, "resources"),
        ({"resources": ["orders"]}, "resources[0]"),
        ({"resources": [resource(), resource(name="other")]}, "resources"),
        ({"resources": [resource(), resource(target="o2")], "mode": "files"}, "resources"),
        (
            {"resources": [resource(target="t"), resource(name="b", target="t")], "mode": "files"},
            "resources",
        ),
        ({"resources": [resource(name="")]}, "resources[0].name"),
        ({"resources": [resource(table="x")]}, "resources[0].table"),
        ({"resources": [resource(target="t" * 64)]}, "resources[0].target"),
        ({"resources": [resource(target="_dlt_loads")]}, "resources[0].target"),
        ({"resources": [resource(target="other.orders")]}, "resources[0].target"),
        (
            {"resources": [resource(target="T"), resource(name="b", target="t")], "mode": "files"},
            "resources",
        ),
        ({"resources": [resource(is_selected="no")]}, "resources[0].is_selected"),
        ({"resources": [resource(write_disposition="x")]}, "resources[0].write_disposition"),
        ({"resources": [resource(write_disposition="merge")]}, "resources[0].primary_key"),
        ({"resources": [resource(primary_key=3)]}, "resources[0].primary_key"),
        ({"resources": [resource(columns=[1])]}, "resources[0].columns"),
        (
            {
                "resources": [
                    resource(write_disposition="merge", primary_key=["id"], columns=["total"])
                ]
            },
            "resources[0].columns",
        ),
        ({"resources": [resource(cursor_initial="1")]}, "resources[0].cursor_column"),
        ({"resources": [resource(filters="x")]}, "resources[0].filters"),
        ({"resources": [resource(filters=[{"column": "a"}])]}, "resources[0].filters[0]"),
        (
            {"resources": [resource(filters=[row_filter(column="")])]},
            "resources[0].filters[0].column",
        ),
        ({"resources": [resource(filters=[row_filter(op="is")])]}, "resources[0].filters[0].op"),
        (
            {"resources": [resource(filters=[row_filter(), row_filter(value=None)])]},
            "resources[0].filters[1].value",
        ),
        (
            {"resources": [resource(filters=[{"or": [row_filter(), {"and": [{"op": "eq"}]}]}])]},
            "resources[0].filters[0].or[1].and[0]",
        ),
        (
            {"resources": [resource(filters=[row_filter(value=["a"])])]},
            "resources[0].filters[0].value",
        ),
        (
            {"resources": [resource(filters=[row_filter(op="in", value={"a": 1})])]},
            "resources[0].filters[0].value",
        ),
        (
            {"resources": [resource(filters=[row_filter(op="in", value=" , ")])]},
            "resources[0].filters[0].value",
        ),
    ],
)
def test_every_mistake_is_named_by_its_path(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidPipeline) as caught:
        PipelineDefinition.parse(definition(**changes))
    assert caught.value.field == field
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("op", "given", "kept"),
    [
        ("eq", "paid", "paid"),
        ("ne", "draft", "draft"),
        ("gt", 3, 3),
        ("gte", 3.5, 3.5),
        ("lt", "2024-01-01", "2024-01-01"),
        ("lte", True, True),
        ("in", "DE, FR ,", ["DE", "FR"]),
        ("not_in", ["DE", 3], ["DE", 3]),
        ("is_null", False, False),
        ("like", "p%", "p%"),
        ("between", ["a", "c"], ["a", "c"]),
    ],
)
def test_each_operator_takes_its_value(op: str, given: Any, kept: Any) -> None:
    item = row_filter(op=op, value=given)
    parsed = PipelineDefinition.parse(definition(resources=[resource(filters=[item])]))
    assert parsed.resources[0].filters == ({"column": "status", "op": op, "value": kept},)
    assert PipelineDefinition.parse(parsed.as_dict()) == parsed


def test_a_target_is_made_of_the_name() -> None:
    assert default_target("data/Air ports.csv.gz") == "air_ports"
    assert default_target("weather/*.csv") == "weather"
    assert default_target("2024") == "_2024"


def test_yaml_gives_back_what_it_was_given() -> None:
    texts = [
        "no",
        "1e5",
        "010",
        "null",
        "1:30",
        "2024-01-01",
        "",
        "a: b",
        "x\ny\n",
        "=",
        "'\"",
        "ü",
    ]
    filters = [
        row_filter(op="in", value=[*texts, 1, 2.5, True]),
        *(row_filter(column=text or "c", value=text or "v") for text in texts),
    ]
    wanted = PipelineDefinition.parse(
        definition(description="One: two\n  three", resources=[resource(filters=filters)])
    )
    text = yaml.to_yaml(wanted, source="no", destination="warehouse")
    assert yaml.from_yaml(text) == (wanted, {"source": "no", "destination": "warehouse"})


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "mapping"),
        ("name: a\nmode: [", 2, "not YAML"),
        ("name: a\nname: b", 2, "written twice"),
        ("name: a\ndataset: d\nmode: files\nspeed: 3", 4, "no setting 'speed'"),
        ("name: &x a\ndescription: *x", 2, "aliases"),
        ("name: !!python/name:os.system a", 1, "tag"),
        ("source: [a]", 1, "connection"),
        (
            "name: a\nmode: files\ndataset: d\nresources:\n  - name: a\n  - name: b\n"
            "    filters:\n      - {column: c, op: like, value: 1}",
            8,
            "like",
        ),
        (
            "name: a\nmode: files\ndataset: d\nresources:\n  - name: a\n    column_settings:\n"
            "      id:\n        rename: x\n        transform: rot13",
            9,
            "'rot13' is not a choice",
        ),
    ],
)
def test_yaml_errors_name_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(InvalidPipeline, match=words) as caught:
        yaml.from_yaml(text)
    assert caught.value.message.startswith(f"Line {line}: ")


def test_yaml_of_endless_depth_is_refused() -> None:
    with pytest.raises(InvalidPipeline, match="too deeply"):
        yaml.from_yaml("a: " + "[" * 300_000)
