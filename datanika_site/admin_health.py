"""What the health page of the admin shows: ``doctor``, and what stands behind its sentences."""

import platform
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.db import connection
from django.db.models import Count, Min
from django.utils import timezone

from datanika_site import health
from orchestration import storage
from orchestration.engine.claims import ready_steps
from orchestration.engine.waiting import SILENT_SECONDS
from orchestration.models import RunStep, Status, Worker

_PACKAGES = (
    "datanika", "django", "celery", "dlt", "dbt-core", "dbt-duckdb", "duckdb", "pyarrow", "cryptography",
)  # fmt: skip
#: A step whose worker has not renewed its lease is looked at first.
MOST_STEPS = 20
_ORDER = {"failed": 0, "warn": 1, "ok": 2}


@dataclass(frozen=True)
class WorkerRow:
    worker: Worker
    running: int
    state: str

    @property
    def queues(self) -> str:
        return ", ".join(self.worker.queues)


def health_context() -> dict[str, Any]:
    findings = sorted(health.findings(with_engines=False), key=lambda one: _ORDER[one.status])
    database = storage.database()
    return {
        "findings": findings,
        "worst": findings[0].status,
        "workers": _workers(),
        "queues": _queues(),
        "steps": _running_steps(),
        "database": database,
        "versions": _versions(),
    }


def _workers() -> list[WorkerRow]:
    silent = timezone.now() - timedelta(seconds=SILENT_SECONDS)
    running = dict(
        RunStep.all_organizations.filter(status=Status.RUNNING)
        .order_by()
        .values_list("worker")
        .annotate(Count("pk"))
    )
    return [
        WorkerRow(worker, running.get(worker.name, 0), _state(worker, silent))
        for worker in Worker.objects.order_by("name")
    ]


def _state(worker: Worker, silent: Any) -> str:
    if worker.seen_at < silent:
        return "silent"
    return "draining" if worker.is_draining else "at work"


def _queues() -> list[dict[str, Any]]:
    rows = ready_steps().order_by().values_list("queue")
    waiting = rows.annotate(Count("pk"), Min("queued_at")).order_by("queue")
    return [{"name": name, "length": count, "oldest": oldest} for name, count, oldest in waiting]


def _running_steps() -> list[RunStep]:
    """Those whose lease ends first: one that is stuck renews nothing."""
    rows = RunStep.all_organizations.filter(status=Status.RUNNING)
    rows = rows.select_related("run", "organization").order_by("lease_expires_at")
    return list(rows[:MOST_STEPS])


def _versions() -> list[tuple[str, str]]:
    found = [("Python", platform.python_version())]
    for name in _PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    with connection.cursor() as cursor:
        sql = "SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version"
        cursor.execute(sql)
        found.append((connection.display_name, str(cursor.fetchone()[0])))
    return found
