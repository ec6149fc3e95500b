"""Rows written by the thousand are what the models themselves would write."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, models

from audit.models import AuditEvent
from common import bulk
from orchestration.models import Run, RunStep, Schedule, StepKind, Trigger
from orchestration.tests import factories as make
from orchestration.tests.test_engine_tick import hourly
from pipelines.models import Pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


def values(row: models.Model) -> dict[str, Any]:
    fields = (f for f in row._meta.concrete_fields if not f.primary_key)
    return {field.attname: getattr(row, field.attname) for field in fields}


def stored(model: Any) -> list[dict[str, Any]]:
    return [values(row) for row in model.all_organizations.order_by("pk")]


@pytest.mark.parametrize("count", [1, 3])
def test_as_the_model_would(organization: Organization, count: int) -> None:
    shared = {"nodes": {"pipeline:a": ["'", '"', "\\", "ü", "{}", "%s"]}}
    runs = [
        {
            "organization_id": organization.pk,
            "number": number,
            "target": f"pipeline:{number} %s {{}} ' \\",
            "trigger": Trigger.SCHEDULE,
            "requested_by": 'Schedule "ü"',
            "scheduled_for": AT if number == 2 else None,
            "full_refresh": number == 2,
            "capsule": shared if number < 3 else {"nodes": {}},
            "requested_at": AT,
        }
        for number in range(1, count + 1)
    ]
    for one in runs:
        Run.all_organizations.create(**one)
    wanted = stored(Run)
    Run.all_organizations.all().delete()
    ids = bulk.new_ids(Run, count)
    rows = [{**one, "id": pk} for one, pk in zip(runs, ids, strict=True)]
    bulk.insert(Run, rows)
    assert stored(Run) == wanted
    assert list(Run.all_organizations.order_by("pk").values_list("pk", flat=True)) == ids


def test_each_kind_of_value(organization: Organization) -> None:
    run = make.make_run(organization, _pipeline_of(organization))
    steps = [
        {
            "run_id": run.pk,
            "position": position,
            "kind": StepKind.PIPELINE,
            "name": "x",
            "lease_token": uuid.uuid4() if position == 7 else None,
            "cpu_seconds": position / 7,
            "connection_ids": list(range(position)),
            "queued_at": AT,
        }
        for position in (7, 8, 9)
    ]
    bulk.insert(RunStep, steps, organization_id=organization.pk)
    made = RunStep.all_organizations.filter(position__gte=7)
    found = [values(row) for row in made.order_by("position")]
    assert found == [values(RunStep(organization=organization, **step)) for step in steps]
    for ip in ("192.0.2.1", "2001:db8::1", None):
        event = {"actor_kind": "user", "actor_label": "Olga", "action": "run.requested", "ip": ip}
        bulk.insert(AuditEvent, [event, event | {"ip": None}], organization_id=organization.pk)
        assert AuditEvent.all_organizations.order_by("-pk")[1].ip == ip


def test_ids_go_on_as_if_the_model_had_given_them(organization: Organization) -> None:
    make.make_run(organization, _pipeline_of(organization))
    first = bulk.new_ids(Run, 2)
    row = {"number": 50, "target": "dag", "requested_by": "x", "title": "x"}
    bulk.insert(Run, [row | {"id": first[-1]}], organization_id=organization.pk)
    later = Run.all_organizations.create(organization=organization, **row | {"number": 51})
    assert later.pk > first[-1]
    assert bulk.new_ids(Run, 1)[0] > later.pk


def test_an_update_writes_each_row_its_own(organization: Organization) -> None:
    make.make_pipeline(organization, "Orders", make.make_connection(organization))
    pipeline = Pipeline.objects.for_organization(organization).get()
    rows = [hourly(pipeline, name=f"S{number}") for number in range(3)]
    for some in (rows, rows[:1]):
        changes = [
            {"id": row.pk, "note": row.name * len(some), "next_run_at": None, "last_run_at": AT}
            for row in some
        ]
        bulk.update(Schedule, changes)
        for row in some:
            row.refresh_from_db()
            assert (row.note, row.next_run_at) == (row.name * len(some), None)
            assert row.last_run_at == AT
    bulk.update(Schedule, [])


def test_what_does_not_fit_is_refused(organization: Organization) -> None:
    row = {"number": 1, "target": "dag", "requested_by": "x", "scheduled_for": None}
    with pytest.raises(IntegrityError):
        bulk.insert(Run, [row, row], organization_id=organization.pk)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite does not look at lengths.")
def test_a_text_is_not_cut(organization: Organization) -> None:
    row = {"number": 1, "target": "x" * 121, "requested_by": "x"}
    with pytest.raises(DataError):
        bulk.insert(Run, [row], organization_id=organization.pk)


def _pipeline_of(organization: Organization) -> str:
    return (
        f"pipeline:{make.make_pipeline(organization, 'P', make.make_connection(organization)).slug}"
    )
