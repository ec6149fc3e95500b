"""The language of row filters: what is taken, what is refused and where, and how it is written."""

from typing import Any

import pytest

from common.errors import UserError
from connections.connectors.base import Column
from connections.connectors.filters import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    OFFERED,
    Kind,
    as_json,
    check_types,
    conditions_of,
    join_list,
    kind_of,
    parse_tree,
    split_list,
    where,
)
from connections.connectors.sql import Dialect, literal, quote_identifier, quote_table, quote_text

COLUMNS = [Column("id", "integer"), Column("name", "text"), Column("at", "timestamp")]


def condition(**changes: Any) -> dict[str, Any]:
    return {"column": "id", "op": "eq", "value": 1, **changes}


def nested(depth: int) -> dict[str, Any]:
    item = condition()
    for _ in range(depth):
        item = {"or": [item]}
    return item


def test_a_tree_comes_back_as_it_was_given() -> None:
    tree = [
        condition(),
        {"or": [condition(op="in", value=[1, "2", True, 2.5]), {"and": [condition(op="is_null", value=False)]}]},
        condition(op="between", value=["a", "b"]),
        condition(op="like", value="50\\%_%"),
    ]  # fmt: skip
    items = parse_tree(tree)
    assert as_json(items) == tree
    assert parse_tree(items) == items
    assert [one.op for one in conditions_of(items)] == ["eq", "in", "is_null", "between", "like"]
    assert parse_tree(None) == parse_tree([]) == ()
    # A text with commas is a list, as a person writes it.
    assert as_json(parse_tree([condition(op="in", value='DE, "a, b" ,')]))[0]["value"] == [
        "DE",
        "a, b",
    ]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("x", "r.filters"),
        ([1], "r.filters[0]"),
        ([{"column": "a", "op": "eq"}], "r.filters[0]"),
        ([condition(speed=1)], "r.filters[0].speed"),
        ([condition(column=" ")], "r.filters[0].column"),
        ([condition(column=3)], "r.filters[0].column"),
        ([condition(), condition(op="matches")], "r.filters[1].op"),
        ([condition(value=None)], "r.filters[0].value"),
        ([condition(value=[1])], "r.filters[0].value"),
        ([condition(value=float("nan"))], "r.filters[0].value"),
        ([condition(op="in", value=[])], "r.filters[0].value"),
        ([condition(op="in", value=" , ")], "r.filters[0].value"),
        ([condition(op="in", value=5)], "r.filters[0].value"),
        ([condition(op="in", value=[1, None])], "r.filters[0].value[1]"),
        ([condition(op="not_in", value=list(range(1001)))], "r.filters[0].value"),
        ([condition(op="between", value=[1])], "r.filters[0].value"),
        ([condition(op="between", value=[1, {}])], "r.filters[0].value[1]"),
        ([condition(op="is_null", value="yes")], "r.filters[0].value"),
        ([condition(op="like", value="")], "r.filters[0].value"),
        ([condition(op="like", value="a\\")], "r.filters[0].value"),
        ([{"or": []}], "r.filters[0].or"),
        ([{"or": condition()}], "r.filters[0].or"),
        ([{"or": [condition()], "and": []}], "r.filters[0]"),
        ([{"and": [condition(), condition(op="x")]}], "r.filters[0].and[1].op"),
        ([nested(MAX_DEPTH + 1)], "r.filters[0].or[0].or[0].or[0].or[0].or[0]"),
        ([condition()] * (MAX_CONDITIONS + 1), "r.filters"),
    ],
)
def test_every_mistake_is_named_by_its_path(value: Any, field: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_tree(value, "r.filters")
    assert refused.value.field == field
    assert str(refused.value).endswith((".", "}."))
    assert refused.value.remedy


def test_the_limits_themselves_are_allowed() -> None:
    assert parse_tree([nested(MAX_DEPTH)])
    assert len(parse_tree([condition()] * MAX_CONDITIONS)) == MAX_CONDITIONS


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([condition(column="nope")], "f[0].column"),
        ([{"or": [condition(), condition(value="x")]}], "f[0].or[1].value"),
        ([condition(op="in", value=[1, "x"])], "f[0].value[1]"),
        ([condition(op="between", value=["x", 1])], "f[0].value[0]"),
        ([condition(op="like", value="1%")], "f[0].value"),
        ([condition(column="at", value="soon")], "f[0].value"),
        ([condition(column="name", value="\ud800")], "f[0].value"),
    ],
)
@pytest.mark.parametrize("dialect", list(Dialect))
def test_what_a_column_cannot_be_compared_with_is_named(
    dialect: Dialect, value: Any, field: str
) -> None:
    with pytest.raises(UserError) as refused:
        where(value, COLUMNS, dialect, path="f")
    assert refused.value.field == field


def test_the_condition_can_be_joined_and_negated() -> None:
    tree = [condition(), {"or": [condition(op="is_null", value=True), condition(value=2)]}]
    found = where(tree, COLUMNS, Dialect.POSTGRES)
    assert found.condition == '"id" = %s AND ("id" IS NULL OR "id" = %s)'
    assert found.parameters == (1, 2)
    assert found.negated == f"({found.condition}) IS NOT TRUE"
    nothing = where([], COLUMNS, Dialect.POSTGRES)
    assert (nothing.clause, nothing.negated) == ("", "")
    read = where([condition()], COLUMNS, Dialect.MYSQL, expression=lambda one: f"f({one.name}%)")
    assert read.condition == "f(id%%) = %s"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("DE, FR ,", ["DE", "FR"]),
        ('"a, b", c', ["a, b", "c"]),
        ('""', [""]),
        ('"a ""b"""', ['a "b"']),
        ('"a" b, c', ['"a" b', "c"]),
        (" , ", []),
        ('" x "', [" x "]),
        ('5" pipe', ['5" pipe']),
    ],
)
def test_a_list_as_a_text(text: str, parts: list[str]) -> None:
    assert split_list(text) == parts
    assert split_list(join_list(parts)) == parts


def test_mysql_is_written_its_own_way() -> None:
    assert quote_identifier("a`b", dialect=Dialect.MYSQL) == "`a``b`"
    assert quote_table("s", 't"', dialect=Dialect.MYSQL) == '`s`.`t"`'
    assert quote_table("s", "t") == '"s"."t"'
    assert quote_text("it's", Dialect.MYSQL) == "'it''s'"
    # The same whether backslashes escape there or not.
    assert quote_text("\\' OR 1=1", Dialect.MYSQL) == " _utf8mb4 x'5c27204f5220313d31'"
    assert literal(True, Dialect.MYSQL) == "1"
    assert literal(b"\x00\xff", Dialect.MYSQL) == "x'00ff'"
    assert literal(-0.5, Dialect.MYSQL) == "(-0.5e0)"


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("bigint(20) unsigned", Kind.WHOLE),
        ("tinyint(1)", Kind.WHOLE),
        ("year", Kind.WHOLE),
        ("UHUGEINT", Kind.WHOLE),
        ("numeric(10,2)", Kind.NUMBER),
        ("double precision", Kind.NUMBER),
        ("datetime(6)", Kind.MOMENT),
        ("TIMESTAMP WITH TIME ZONE", Kind.MOMENT),
        ("time without time zone", Kind.MOMENT),
        ("BOOLEAN", Kind.BOOLEAN),
        ("longblob", Kind.EXACT),
        ("uuid", Kind.EXACT),
        ("enum('a','b')", Kind.TEXT),
        ("integer[]", Kind.TEXT),
        ("", Kind.TEXT),
    ],
)
def test_what_is_offered_follows_the_type(declared: str, kind: Kind) -> None:
    assert kind_of(declared) is kind
    assert ("like" in OFFERED[kind]) == (kind is Kind.TEXT)


def test_a_flag_of_mysql_takes_truth_and_numbers() -> None:
    columns = [{"name": "paid", "type": "tinyint(1)"}]
    for value in (True, "false", 1, "7"):
        check_types([condition(column="paid", value=value)], columns, "mysql")
    with pytest.raises(UserError, match="whole number"):
        check_types([condition(column="paid", value="maybe")], columns, "mysql")
    with pytest.raises(UserError):
        check_types([condition(column="paid", value=True)], columns, "postgres")
