"""What pruning freed, given back: to SQLite's file system in small steps, in PostgreSQL by autovacuum."""

import time
from collections.abc import Iterator
from typing import Any

from django.db import DatabaseError, connection

from audit.models import AuditEvent
from orchestration.models import Run, RunLogLine, RunStep, RunStepAttempt, RunStepResult

#: Pages of one step: 4 MiB with the usual page size, some tens of milliseconds.
PAGES = 1_000
INCREMENTAL = 2
#: Entries of an index that are read for its statistics.
SAMPLE = 10_000
#: Readers are waited for this long, and not the half minute of other statements: writers wait with us.
CHECKPOINT_WAIT_MS = 200


def give_back(seconds: float) -> dict[str, Any]:
    """SQLite: free pages and the write-ahead log, for so long at most. Elsewhere nothing is needed."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return {}
    freed = _free_pages(time.monotonic() + seconds)
    _count_values()
    return {"freed_bytes": freed, "checkpoint": _checkpoint()}


def _count_values() -> None:
    """What autovacuum does for PostgreSQL: SQLite chooses its indexes by it, and without it wrongly in large tables.

    A sample is enough: a tenth of a second with a million runs.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA analysis_limit = {SAMPLE}")
        cursor.execute("ANALYZE")


def vacuum() -> Iterator[str]:
    """Rewrite what is pruned, table by table (SQLite: the whole file); yields what it does next.

    SQLite's file is made one that gives free pages back by itself from then on. Nobody can write meanwhile.
    """
    if connection.vendor == "sqlite":
        yield "the database file"
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
            cursor.execute("VACUUM")
        _checkpoint()
        return
    for model in (RunLogLine, RunStepResult, RunStepAttempt, RunStep, Run, AuditEvent):
        table = connection.ops.quote_name(model._meta.db_table)
        yield model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM (ANALYZE) {table}")


def _free_pages(deadline: float) -> int:
    if _pragma("auto_vacuum") != INCREMENTAL:
        return 0
    before = left = _pragma("freelist_count")
    while left and time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA incremental_vacuum({PAGES})")
            cursor.fetchall()
        now = _pragma("freelist_count")
        if now >= left:
            break
        left = now
    return (before - left) * _pragma("page_size")


def _checkpoint() -> str:
    """``done``, or ``later`` when readers are in the way."""
    waits = _pragma("busy_timeout")
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            row = cursor.fetchone()
        except DatabaseError:
            return "later"
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {waits}")
    return "later" if row and row[0] else "done"


def _pragma(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
