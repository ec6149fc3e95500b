"""How much room everything takes, quickly: estimates of the database, directories within a time."""

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from orchestration.models import Run, RunLogLine, RunStep, Status

MOST_TABLES = 15
#: SQLite finds the bytes of a table by reading the whole file.
MOST_READ_BYTES = 256 * 1024 * 1024
#: All directories together; what is not seen by then is said to be more.
DIRECTORY_SECONDS = 1.5
_DIRECTORIES = {
    "files": "files of the organizations",
    "work": "work of loads between their attempts",
    "cache": "parse caches of dbt",
    "tmp": "private directories of children",
    "broker": "messages of the broker",
    "static": "styles and scripts",
}


@dataclass(frozen=True)
class Table:
    """``rows`` is an estimate; None where nothing is known."""

    name: str
    rows: int | None
    bytes: int | None


@dataclass(frozen=True)
class Database:
    vendor: str
    bytes: int
    #: Of it free for reuse; None where that is not known.
    free_bytes: int | None
    tables: list[Table]


@dataclass(frozen=True)
class Directory:
    """``is_more``: the time was over before everything was seen."""

    name: str
    purpose: str
    bytes: int
    is_more: bool


def database() -> Database:
    return _sqlite() if connection.vendor == "sqlite" else _postgres()


def _postgres() -> Database:
    """From the catalogue: no table is read."""
    rows = _ask(
        "SELECT c.relname, c.reltuples::bigint, pg_total_relation_size(c.oid)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')"
        " ORDER BY 3 DESC, 1 LIMIT %s",
        [MOST_TABLES],
    )
    # Below zero: never analyzed.
    tables = [Table(name, count if count >= 0 else None, size) for name, count, size in rows]
    return Database(
        "PostgreSQL", _ask("SELECT pg_database_size(current_database())")[0][0], None, tables
    )


def _sqlite() -> Database:
    page_size = _ask("PRAGMA page_size")[0][0]
    size = _ask("PRAGMA page_count")[0][0] * page_size
    free = _ask("PRAGMA freelist_count")[0][0] * page_size
    names = [row[0] for row in _ask("SELECT name FROM sqlite_master WHERE type = 'table'")]
    sizes = _sqlite_sizes() if size <= MOST_READ_BYTES else {}
    tables = [Table(name, _sqlite_rows(name), sizes.get(name)) for name in names]
    tables.sort(key=lambda table: (-(table.bytes or 0), -(table.rows or 0), table.name))
    return Database("SQLite", size, free, tables[:MOST_TABLES])


def _sqlite_rows(name: str) -> int | None:
    """From the two ends of the table: what was deleted in between counts too."""
    quoted = connection.ops.quote_name(name)
    try:
        low, high = _ask(
            f"SELECT (SELECT MIN(rowid) FROM {quoted}), (SELECT MAX(rowid) FROM {quoted})"  # noqa: S608
        )[0]
    except DatabaseError:
        return None
    return 0 if high is None else int(high) - int(low) + 1


def _sqlite_sizes() -> dict[str, int]:
    """Tables with their indexes; empty where this SQLite is built without ``dbstat``."""
    owners = dict(_ask("SELECT name, tbl_name FROM sqlite_master"))
    sizes: dict[str, int] = defaultdict(int)
    try:
        for name, size in _ask("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE"):
            sizes[owners.get(name, name)] += size
    except DatabaseError:
        return {}
    return sizes


def _ask(sql: str, params: list[Any] | None = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def directories() -> list[Directory]:
    """What lies in the data directory of the machine that answers."""
    root = Path(settings.DATA_DIR)
    deadline = time.monotonic() + DIRECTORY_SECONDS
    found = []
    for name, purpose in _DIRECTORIES.items():
        if (root / name).is_dir():
            size, is_more = _size_of(root / name, deadline)
            found.append(Directory(name, purpose, size, is_more))
    return found


def _size_of(top: Path, deadline: float) -> tuple[int, bool]:
    total = 0
    for folder, _folders, files in os.walk(top):
        if time.monotonic() > deadline:
            return total, True
        for name in files:
            try:
                status = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            # Blocks, since a sparse file takes less than it is long.
            total += status.st_blocks * 512
    return total, False


def oldest() -> dict[str, datetime | None]:
    """When the oldest run was requested and the oldest line written; by key, which needs no index on the time."""
    return {
        "run": Run.all_organizations.order_by("pk").values_list("requested_at", flat=True).first(),
        "line": RunLogLine.all_organizations.order_by("pk").values_list("at", flat=True).first(),
    }


def running_steps_of(worker: str) -> int:
    rows = RunStep.all_organizations.filter(status=Status.RUNNING, worker=worker)
    return rows.count()
