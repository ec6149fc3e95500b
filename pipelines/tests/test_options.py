"""What a run can be asked to do differently, and how it is said when it cannot."""

from typing import Any

import pytest

from conftest_site import Person
from pipelines import services
from pipelines.definition import PipelineDefinition
from pipelines.options import InvalidLoadOptions, LoadOptions, check_options
from pipelines.tests.factories import (
    definition,
    make_csv,
    make_database,
    make_pipeline,
    make_warehouse,
)
from tenants.models import Organization

RANGE: dict[str, Any] = {"cursor_from": "2024-01-01", "cursor_to": "2024-02-01"}


def test_options_have_one_form_and_words() -> None:
    options = LoadOptions.of(
        tables=[" orders ", "orders", ""], cursor_from=" 1 ", cursor_to="9", full_refresh=True
    )
    assert options.as_json() == {
        "full_refresh": True,
        "resources": ["orders"],
        "cursor_range": {"from": "1", "to": "9"},
        "replay_rejects": False,
    }
    assert LoadOptions.from_json(options.as_json()) == options
    assert LoadOptions.from_json({}) == LoadOptions()
    assert options.words() == "full refresh, only orders, from 1 up to 9 again"
    many = LoadOptions.of(tables=list("abcde"), replay_rejects=True)
    assert many.words() == "only a, b, c and 2 more, rejected rows again"
    assert LoadOptions().words() == ""
    assert (options.first_field, LoadOptions(full_refresh=True).first_field) == ("tables", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"tables": ["nothing"]}, "tables", "It has: orders"),
        ({"full_refresh": True, **RANGE}, "cursor_from", "exclude each other"),
        ({"replay_rejects": True, **RANGE}, "replay_rejects", "exclude each other"),
        ({"full_refresh": True, "replay_rejects": True}, "replay_rejects", "exclude each other"),
        ({"cursor_from": "2024"}, "cursor_to", "beginning and an end"),
        ({"cursor_to": "2024"}, "cursor_from", "beginning and an end"),
        ({"cursor_from": "a", "cursor_to": "a"}, "cursor_to", "is empty"),
        ({"cursor_from": "10", "cursor_to": "9"}, "cursor_to", "is empty"),
        ({"cursor_from": "2024-02-01", "cursor_to": "2024-01-01T12:00:00"}, "cursor_to", "empty"),
        ({"cursor_from": "1", "cursor_to": "9" * 256}, "cursor_to", "at most 255"),
    ],
)
def test_what_one_table_cannot_be_asked(
    organization: Organization, editor: Person, asked: dict[str, Any], field: str, words: str
) -> None:
    pipeline = make_pipeline(organization, editor)
    with pytest.raises(InvalidLoadOptions, match=words) as wrong:
        check_options(pipeline, LoadOptions.of(**asked))
    assert wrong.value.field == field
    assert wrong.value.remedy


@pytest.mark.django_db
def test_what_one_table_can_be_asked(organization: Organization, editor: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    for asked in (
        {},
        {"full_refresh": True, "tables": ["orders"]},
        {"replay_rejects": True},
        RANGE,
        {"tables": ["orders"], **RANGE},
        # Not for us to compare.
        {"cursor_from": "b", "cursor_to": "a"},
        {"cursor_from": "2024-01-01", "cursor_to": "2024-01-02T00:00:00+00:00"},
    ):
        check_options(pipeline, LoadOptions.of(**asked))


@pytest.mark.django_db
def test_tables_of_a_whole_database(organization: Organization, editor: Person) -> None:
    left_out = {"name": "secrets", "is_selected": False}
    orders = {"name": "orders", "write_disposition": "append", "cursor_column": "updated_at"}
    plain = {"name": "plain", "write_disposition": "append"}
    kept = {
        "name": "kept",
        "write_disposition": "merge",
        "merge_strategy": "scd2",
        "primary_key": ["id"],
        "cursor_column": "at",
    }
    pipeline = make_database(
        organization,
        editor,
        include=["c*"],
        exclude=["*_tmp"],
        resources=[orders, left_out, plain, kept],
    )
    check_options(pipeline, LoadOptions.of(tables=["orders", "customers"]))
    check_options(pipeline, LoadOptions.of(tables=["orders"], **RANGE))
    for asked, field, words in (
        ({"tables": ["secrets"]}, "tables", "left out"),
        ({"tables": ["users"]}, "tables", "patterns"),
        ({"tables": ["c_tmp"]}, "tables", "patterns"),
        (RANGE, "tables", "one table at a time"),
        ({"tables": ["orders", "customers"], **RANGE}, "tables", "one table at a time"),
        ({"tables": ["customers"], **RANGE}, "cursor_from", "has no cursor"),
        ({"tables": ["plain"], **RANGE}, "cursor_from", "has no cursor"),
        ({"tables": ["kept"], **RANGE}, "cursor_from", "every version"),
    ):
        with pytest.raises(InvalidLoadOptions, match=words) as wrong:
            check_options(pipeline, LoadOptions.of(**asked))
        assert wrong.value.field == field


@pytest.mark.django_db
def test_files_are_named_as_they_are(organization: Organization, editor: Person) -> None:
    pipeline = services.create_pipeline(
        organization=organization,
        actor=editor.actor,
        source=make_csv(organization),
        destination=make_warehouse(organization),
        definition=PipelineDefinition.parse(
            definition(mode="files", resources=[{"name": "a.csv"}, {"name": "weather/*.csv"}])
        ),
    )
    check_options(pipeline, LoadOptions.of(tables=["weather/*.csv"]))
    with pytest.raises(InvalidLoadOptions, match="one table at a time"):
        check_options(pipeline, LoadOptions.of(**RANGE))
