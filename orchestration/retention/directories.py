"""Directories that nobody needs any more: of children that died, of pipelines and warehouses that are gone."""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Min

from connections.models import Connection
from orchestration.models import RunStep, Status
from orchestration.retention.pruners import Pace, Pruner
from pipelines.models import Pipeline

#: Checks, samples and previews are over within seconds; this is far beyond.
LEFT_BEHIND = timedelta(hours=1)
#: One look of a worker at its own disk.
TIDY_SECONDS = 5.0


def tidy(now: datetime) -> int:
    """Remove what is left behind on this machine, for some seconds at most; how many directories went."""
    deadline = time.monotonic() + TIDY_SECONDS
    removed = 0
    for taken in _batches(now, Pace()):
        removed += taken
        if time.monotonic() > deadline:
            break
    return removed


def leftovers(now: datetime) -> Iterator[Path]:
    """Directories on this machine that nothing needs any more."""
    root = Path(settings.DATA_DIR)
    yield from _of_dead_children(root / "tmp", now)
    yield from _of_gone(root / "work", "pipeline-", _living_pipelines)
    yield from _of_gone(root / "cache", "dbt-", _living_connections)


def _of_dead_children(parent: Path, now: datetime) -> Iterator[Path]:
    """Private directories untouched since before the oldest step that runs on this machine began."""
    here = RunStep.all_organizations.filter(
        status=Status.RUNNING, worker__startswith=f"{socket.gethostname()}:"
    )
    oldest = here.aggregate(oldest=Min("started_at"))["oldest"]
    limit = min(now - LEFT_BEHIND, (oldest or now) - timedelta(minutes=1)).timestamp()
    for path in _subdirectories(parent):
        if path.name.startswith("datanika-child-") and _touched(path) < limit:
            yield path


def _of_gone(parent: Path, prefix: str, living: Callable[[list[int]], set[int]]) -> Iterator[Path]:
    """``<parent>/<organization>/<prefix><key>`` of rows that are deleted."""
    for organization in _subdirectories(parent):
        found = {}
        for path in _subdirectories(organization):
            key = path.name.removeprefix(prefix)
            if path.name.startswith(prefix) and key.isdigit():
                found[int(key)] = path
        alive = living(list(found)) if found else set()
        yield from (path for key, path in found.items() if key not in alive)


def _living_pipelines(keys: list[int]) -> set[int]:
    """In the trash is gone, since a work directory is disposable, unless a step still has it."""
    rows = Pipeline.all_organizations.filter(pk__in=keys, deleted_at__isnull=True)
    busy = RunStep.all_organizations.filter(pipeline_id__in=keys, status=Status.RUNNING)
    return {*rows.values_list("pk", flat=True), *busy.values_list("pipeline_id", flat=True)}


def _living_connections(keys: list[int]) -> set[int]:
    rows = Connection.all_organizations.filter(pk__in=keys, deleted_at__isnull=True)
    busy = RunStep.all_organizations.filter(connection_id__in=keys, status=Status.RUNNING)
    return {*rows.values_list("pk", flat=True), *busy.values_list("connection_id", flat=True)}


def _subdirectories(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _touched(path: Path) -> float:
    """The newest change at the top: a child that works makes files there, or in the directory itself."""
    newest = 0.0
    for one in (path, *path.glob("*")):
        try:
            newest = max(newest, one.lstat().st_mtime)
        except OSError:
            continue
    return newest


def _batches(now: datetime, pace: Pace) -> Iterator[int]:
    for path in leftovers(now):
        shutil.rmtree(path, ignore_errors=True)
        yield 0 if path.exists() else 1


def _count(now: datetime, most: int | None) -> int:
    count = 0
    for count, _path in enumerate(leftovers(now), 1):
        if count == most:
            break
    return count


DIRECTORIES = Pruner("directories", "Directories left behind on this machine", _batches, _count)
