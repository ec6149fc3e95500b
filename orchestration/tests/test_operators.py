"""The admin pages of operators: quick on big tables, and telling."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conftest_site import Person
from connections.models import Connection
from orchestration import retention, storage, upkeep
from orchestration.admin_base import ShortPaginator
from orchestration.models import (
    Run,
    RunLogLine,
    RunStep,
    RunStepAttempt,
    RunStepResult,
    Schedule,
    Worker,
)
from orchestration.tests import factories as make
from tenants import services as tenants
from tenants.models import Organization, User

STORAGE = "admin:orchestration_upkeep_changelist"


@pytest.fixture
def operator(owner: Person) -> Person:
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    return owner


def get(person: Person, name: str, *arguments: Any, **query: str) -> str:
    response = person.client.get(reverse(name, args=arguments), query)
    assert response.status_code == 200
    return str(response.content.decode())


def test_lists_and_rows_are_shown(
    operator: Person, failed_run: Run, schedule: Schedule, stand: Connection
) -> None:
    for model in (Run, RunStep, RunStepResult, RunLogLine, Schedule):
        name = f"admin:orchestration_{model._meta.model_name}"
        get(operator, f"{name}_changelist", q="1")
        if row := model._default_manager.first():
            get(operator, f"{name}_change", row.pk)


def test_attempts_and_the_queue_are_on_the_page_of_a_step(
    operator: Person, failed_run: Run
) -> None:
    step = make.steps(failed_run)[0]
    RunStep.all_organizations.filter(pk=step.pk).update(queue="gold")
    RunStepAttempt.all_organizations.update_or_create(
        step=step,
        number=1,
        defaults={"organization": step.organization, "worker": "far:1", "status": "lost"},
    )
    page = get(operator, "admin:orchestration_runstep_change", step.pk)
    assert "far:1" in page
    assert "gold" in get(operator, "admin:orchestration_run_change", failed_run.pk)


def test_lists_count_no_more_than_they_show_and_sort_by_key(
    operator: Person, failed_run: Run
) -> None:
    for model in ("run", "runstep", "runlogline", "runstepresult"):
        with CaptureQueriesContext(connection) as queries:
            get(operator, f"admin:orchestration_{model}_changelist")
        table = f"orchestration_{model}"
        counts = [q["sql"] for q in queries if "COUNT(" in q["sql"] and table in q["sql"]]
        assert counts
        assert all(f"LIMIT {ShortPaginator.MOST}" in sql for sql in counts)
        orders = [q["sql"] for q in queries if f'ORDER BY "{table}"' in q["sql"]]
        assert all(f'ORDER BY "{table}"."id" DESC' in sql for sql in orders)


def test_workers_say_how_they_are(operator: Person, failed_run: Run) -> None:
    now = timezone.now()
    Worker.objects.create(name="one:1", queues=["default", "gold"], slots=4, version="1.2")
    Worker.objects.create(name="two:2", queues=["default"], slots=4, is_draining=True)
    lost = now - timedelta(minutes=5)
    Worker.objects.create(name="three:3", queues=["default"], slots=4, seen_at=lost)
    page = get(operator, "admin:orchestration_worker_changelist")
    for words in ("default, gold", "at work", "draining", "silent"):
        assert words in page
    add = operator.client.get(reverse("admin:orchestration_worker_add"))
    assert add.status_code == 403


def test_the_storage_page_says_sizes_and_what_is_old(
    operator: Person, organization: Organization, failed_run: Run, settings: Any
) -> None:
    folder = Path(settings.DATA_DIR) / "files" / str(organization.pk)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "big").write_bytes(b"x" * 300_000)
    page = get(operator, STORAGE)
    assert "orchestration_" in page
    assert "files of the organizations" in page
    assert "Nothing was pruned yet" in page
    assert "none yet" in page
    Run.all_organizations.filter(pk=failed_run.pk).update(
        requested_at=timezone.now() - timedelta(days=400),
        finished_at=timezone.now() - timedelta(days=400),
    )
    retention.prune(timezone.now())
    upkeep.note(upkeep.TICK)
    tenants.update_platform(actor=make.OPERATOR, heartbeat_url="https://example.com/secret")
    page = get(operator, STORAGE)
    assert "The last one took" in page
    assert "example.com has not been asked yet" in page
    assert "secret" not in page


def test_sizes_are_estimated(failed_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MOST_TABLES", 500)
    found = storage.database()
    tables = {table.name: table for table in found.tables}
    assert found.bytes > 0
    assert {"orchestration_run", "audit_auditevent"} <= set(tables)
    if found.vendor == "SQLite":
        assert tables["orchestration_run"].rows == 1
    assert storage.oldest()["run"] == failed_run.requested_at


def test_strangers_see_nothing(owner: Person) -> None:
    for name in (STORAGE, "admin:orchestration_worker_changelist"):
        assert owner.client.get(reverse(name)).status_code == 302
    User.objects.filter(pk=owner.user.pk).update(is_staff=True)
    assert owner.client.get(reverse(STORAGE)).status_code == 403
