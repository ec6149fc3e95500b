"""What the metadata database says, read past the code under test."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

ACTIVE = ("queued", "running")


@dataclass(frozen=True)
class RunRow:
    number: int
    target: str
    status: str
    error: str
    cancelled_by: str
    requested_at: datetime
    finished_at: datetime | None

    @property
    def is_final(self) -> bool:
        return self.status not in ACTIVE


@dataclass(frozen=True)
class AttemptRow:
    run: int
    number: int
    worker: str
    status: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Fired:
    """A due time of a schedule, and how many runs it has."""

    schedule: str
    due: datetime
    runs: int
    #: Seconds between the due time and its first run's row.
    late: float


class Records:
    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Tried for a while: a server may be on its way up again."""
        deadline = time.monotonic() + 60
        while True:
            try:
                if self._connection is None:
                    self._connection = psycopg.connect(
                        self.url, autocommit=True, connect_timeout=10
                    )
                cursor = self._connection.execute(query, values or None)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                self.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def runs(self, organization: int, numbers: Sequence[int] | None = None) -> list[RunRow]:
        query = (
            "SELECT number, target, status, error, cancelled_by, requested_at, finished_at"
            " FROM orchestration_run WHERE organization_id = %s"
        )
        values: list[Any] = [organization]
        if numbers is not None:
            query += " AND number = ANY(%s)"
            values.append(list(numbers))
        return [RunRow(*row) for row in self.ask(query + " ORDER BY number", values)]

    def attempts(self, organization: int, numbers: Sequence[int]) -> list[AttemptRow]:
        query = (
            "SELECT r.number, a.number, a.worker, a.status, a.started_at, a.finished_at"
            " FROM orchestration_runstepattempt a JOIN orchestration_runstep s ON s.id = a.step_id"
            " JOIN orchestration_run r ON r.id = s.run_id"
            " WHERE r.organization_id = %s AND r.number = ANY(%s) ORDER BY a.started_at, a.id"
        )
        return [AttemptRow(*row) for row in self.ask(query, [organization, list(numbers)])]

    def running(self, organization: int, worker: str = "") -> list[int]:
        """Numbers of runs with a running step, on the machine of this name."""
        query = (
            "SELECT DISTINCT r.number FROM orchestration_runstep s"
            " JOIN orchestration_run r ON r.id = s.run_id"
            " WHERE r.organization_id = %s AND s.status = 'running' AND s.worker LIKE %s"
        )
        like = f"{worker}:%" if worker else "%"
        return sorted(number for (number,) in self.ask(query, [organization, like]))

    def last_seen_on(self, organization: int, worker: str) -> list[int]:
        """Numbers of runs with a step whose last worker is like this one."""
        query = (
            "SELECT DISTINCT r.number FROM orchestration_runstep s"
            " JOIN orchestration_run r ON r.id = s.run_id"
            " WHERE r.organization_id = %s AND s.worker LIKE %s"
        )
        return [number for (number,) in self.ask(query, [organization, worker])]

    def everything(self, organization: int, number: int) -> str:
        """All that is written about a run, to see whether somebody wrote more."""
        query = (
            "SELECT row_to_json(r)::text || coalesce((SELECT string_agg(row_to_json(s)::text, '' ORDER BY s.id)"
            " FROM orchestration_runstep s WHERE s.run_id = r.id), '')"
            " FROM orchestration_run r WHERE r.organization_id = %s AND r.number = %s"
        )
        return str(self.ask(query, [organization, number])[0][0]) + self.log(organization, number)

    def fired(self, organization: int, schedule: str, first: datetime) -> list[Fired]:
        """Each minute from the first until now, with its runs; and due times that nobody owed."""
        query = (
            "SELECT r.scheduled_for, count(*), min(r.requested_at) FROM orchestration_run r"
            " JOIN orchestration_schedule s ON s.id = r.schedule_id"
            " WHERE r.organization_id = %s AND s.slug = %s GROUP BY r.scheduled_for"
        )
        rows = {due: (n, at) for due, n, at in self.ask(query, [organization, schedule])}
        count = int((datetime.now(UTC) - first).total_seconds() // 60) + 1
        owed = [first + timedelta(minutes=number) for number in range(count)]
        found = []
        for due in owed:
            runs, at = rows.pop(due, (0, due))
            found.append(Fired(schedule, due, runs, (at - due).total_seconds()))
        # Anything else is a run too many.
        return found + [Fired(schedule, due, n + 1, 0) for due, (n, _) in rows.items()]

    def log(self, organization: int, number: int) -> str:
        query = (
            "SELECT l.text FROM orchestration_runlogline l JOIN orchestration_run r"
            " ON r.id = l.run_id WHERE r.organization_id = %s AND r.number = %s ORDER BY l.number"
        )
        return "\n".join(text for (text,) in self.ask(query, [organization, number]))

    def workers(self, machine: str) -> list[tuple[str, bool]]:
        """Name and whether it drains, of the workers of a machine that were heard of lately."""
        query = (
            "SELECT name, is_draining FROM orchestration_worker"
            " WHERE name LIKE %s AND seen_at > now() - interval '20 seconds'"
        )
        return [(name, draining) for name, draining in self.ask(query, [f"{machine}:%"])]

    def leases(self) -> int:
        """Steps that somebody still holds, or that are neither over nor belong to an active run."""
        query = (
            "SELECT count(*) FROM orchestration_runstep s JOIN orchestration_run r ON r.id = s.run_id"
            " WHERE (s.lease_token IS NOT NULL AND s.status <> 'running')"
            " OR (s.status IN ('queued', 'running') AND r.status NOT IN ('queued', 'running'))"
        )
        return int(self.ask(query)[0][0])
