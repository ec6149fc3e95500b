"""Cursors: what people set, what runs report, and which of the two counts."""

from typing import Any

import pytest

from audit.models import AuditEvent
from common.errors import Conflict, NotFound, PermissionDenied
from conftest_site import Person
from pipelines import runner, services
from pipelines.cursors import find_cursor, list_cursors
from pipelines.errors import InvalidPipeline
from pipelines.models import Pipeline
from pipelines.tests.answers import Destination
from pipelines.tests.factories import make_database, make_pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipeline(organization: Organization, editor: Person) -> Pipeline:
    return make_pipeline(organization, editor)


@pytest.fixture
def destination(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> Destination:
    monkeypatch.setattr(runner, "MODULE", "pipelines.tests.child_entries")
    return Destination(organization)


def stored(pipeline: Pipeline) -> dict[str, Any]:
    found: dict[str, Any] = Pipeline.all_organizations.get(pk=pipeline.pk).cursors
    return found


def loaded(after: str, edit: int = 0, **changes: Any) -> dict[str, Any]:
    cursor = {"column": "updated_at", "before": None, "after": after, "edit": edit}
    result = {"event": "result", "kind": "table", "name": "orders", "target": "orders"}
    return {**result, "status": "succeeded", "columns": [], "cursor": cursor, **changes}


def test_a_person_sets_and_resets_a_cursor(pipeline: Pipeline, editor: Person) -> None:
    state = services.set_cursor(
        pipeline=pipeline, actor=editor.actor, resource="orders", value=" 2024-01-02 "
    )
    assert (state.value, state.edit, state.is_pending) == ("2024-01-02", 1, True)
    services.set_cursor(
        pipeline=pipeline,
        actor=editor.actor,
        resource="orders",
        value=None,
        expected="2024-01-02",
    )
    assert stored(pipeline) == {"orders": {"column": "updated_at", "value": None, "edit": 2}}
    events = AuditEvent.objects.for_organization(pipeline.organization)
    changes = [e.changes for e in events.filter(action="pipeline.cursor_set").order_by("pk")]
    assert changes == [
        {"orders.updated_at": [None, "2024-01-02"]},
        {"orders.updated_at": ["2024-01-02", None]},
    ]


def test_what_is_refused(pipeline: Pipeline, editor: Person, viewer: Person) -> None:
    def attempt(person: Person = editor, **values: Any) -> None:
        asked = {"resource": "orders", "value": "2024-01-02", **values}
        services.set_cursor(pipeline=pipeline, actor=person.actor, **asked)

    with pytest.raises(PermissionDenied):
        attempt(viewer)
    with pytest.raises(NotFound, match="cursors of: orders") as missing:
        attempt(resource="customers")
    assert missing.value.field == "resource"
    for value in ("", "  ", "x" * 256):
        with pytest.raises(InvalidPipeline) as wrong:
            attempt(value=value)
        assert wrong.value.field == "value"
    runner.record_result(pipeline, loaded("2024-01-04"))
    with pytest.raises(Conflict, match="2024-01-04") as moved:
        attempt(expected="2024-01-03")
    assert moved.value.field == "expected"
    with pytest.raises(Conflict):
        attempt(expected=None)
    attempt(expected="2024-01-04")


def test_a_table_that_is_replaced_has_no_cursor(organization: Organization, editor: Person) -> None:
    whole = make_database(organization, editor)
    services.set_cursor(pipeline=whole, actor=editor.actor, resource="orders", value="1")
    with pytest.raises(NotFound):
        services.set_cursor(pipeline=whole, actor=editor.actor, resource="customers", value="1")


def test_a_run_moves_a_cursor_unless_a_person_did_meanwhile(
    pipeline: Pipeline, editor: Person
) -> None:
    at_start = Pipeline.objects.for_organization(pipeline.organization).get()
    runner.record_result(at_start, loaded("2024-01-02", name="main.orders"))
    assert stored(pipeline)["orders"] == {"column": "updated_at", "value": "2024-01-02", "edit": 0}
    services.set_cursor(pipeline=pipeline, actor=editor.actor, resource="orders", value="2023")
    runner.record_result(at_start, loaded("2024-01-03"))
    assert stored(pipeline)["orders"]["value"] == "2023", "the run began before it was set"
    runner.record_result(at_start, loaded("2024-01-04", edit=1))
    assert stored(pipeline)["orders"] == {"column": "updated_at", "value": "2024-01-04", "edit": 1}
    runner.record_result(at_start, loaded("2024-01-09", edit=1, status="failed"))
    assert stored(pipeline)["orders"]["value"] == "2024-01-04"


def test_the_engine_is_told_what_people_set(pipeline: Pipeline, editor: Person) -> None:
    runner.record_result(pipeline, loaded("2024-01-02"))
    assert runner.build_spec(pipeline, load_id="1.1")["cursors"] == {}
    services.set_cursor(pipeline=pipeline, actor=editor.actor, resource="orders", value=None)
    entry = {"column": "updated_at", "value": None, "edit": 1}
    assert runner.build_spec(pipeline, load_id="1.1")["cursors"] == {"orders": entry}
    # Of another column than today's it says nothing, but it counts on.
    pipeline.cursors["orders"]["column"] = "created_at"
    pipeline.save()
    assert runner.build_spec(pipeline, load_id="1.1")["cursors"] == {}
    state = services.set_cursor(
        pipeline=pipeline, actor=editor.actor, resource="orders", value="x", expected=None
    )
    assert state.edit == 2


def test_the_newer_of_ledger_and_person_counts(
    pipeline: Pipeline, editor: Person, destination: Destination
) -> None:
    committed = {"value": "2024-01-04", "committed_at": "2024-02-01T00:00:00Z", "edit": 0}
    destination.answers(state={"resources": {"orders": {"column": "updated_at", **committed}}})
    (state,) = list_cursors(pipeline)
    assert (state.value, state.is_pending) == ("2024-01-04", False)
    assert destination.asked["operation"] == "state"
    services.set_cursor(pipeline=pipeline, actor=editor.actor, resource="orders", value=None)
    state = find_cursor(pipeline, "orders")
    assert (state.value, state.edit, state.is_pending) == (None, 1, True)
    assert (state.committed_value, state.committed_at) == ("2024-01-04", "2024-02-01T00:00:00Z")
    # Another column's value is none of this cursor's.
    destination.answers(state={"resources": {"orders": {"column": "id", **committed, "edit": 9}}})
    assert find_cursor(pipeline, "orders").committed_value is None
    destination.answers(state={"resources": {}})
    assert find_cursor(pipeline, "orders").value is None
    with pytest.raises(NotFound):
        find_cursor(pipeline, "customers")
