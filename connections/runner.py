"""The door to the child side: checks, discovery and samples, each in a boxed child of the caller's process."""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from django.conf import settings

from common.children.box import Box
from common.children.client import SHARED_FD, ChildPool, WarmReport, new_private_dir, run_to_end
from common.errors import DatanikaError, NotFound, TransientError, UserError
from connections import restrictions
from connections.models import Connection
from connections.preload import PRELOAD, PRELOAD_DBT
from tenants.models import Organization
from tenants.selectors import StepLimits

OPERATIONS = "connections.connectors.operations"
_one_pool = Lock()
SECONDS = 30
#: A page waits for a sample; the connectors themselves stop asking a little earlier.
SAMPLE_SECONDS = 5


def pool() -> ChildPool:
    """The warm parent of this process, started at first use, or the one it was given to share."""
    # Two threads that ask at once get one: the second would find the shared one taken.
    with _one_pool:
        return _pool()


@lru_cache(maxsize=1)
def _pool() -> ChildPool:
    # Taken out: a process started from here has no such descriptor.
    shared = os.environ.pop(SHARED_FD, "")
    return ChildPool(PRELOAD, shared_fd=int(shared) if shared else None)


def warm_dbt() -> None:
    """From now on children start with dbt imported; without it each would take seconds of its own for that."""
    pool().preload(PRELOAD_DBT)


def try_preloads() -> WarmReport:
    """Start a warm parent with everything it may have to import, look, and end it."""
    trial = ChildPool((*PRELOAD, *PRELOAD_DBT))
    try:
        return trial.warm_up()
    finally:
        trial.close()


def files_root(organization: Organization) -> Path:
    """The organization's own files; by primary key, so that a rename moves nothing."""
    root = Path(settings.DATA_DIR) / "files" / str(organization.pk)
    root.mkdir(parents=True, exist_ok=True)
    return root


def policy(organization: Organization) -> dict[str, Any]:
    """What every spec says about files and addresses."""
    return {
        "files_root": str(files_root(organization)),
        "allowed_roots": list(restrictions.file_roots()),
        "egress": restrictions.egress(),
    }


def make_private_dir() -> str:
    """A directory for one child alone, under the data directory so that big temporary files fit."""
    parent = Path(settings.DATA_DIR) / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    return new_private_dir(parent)


def box(
    private_dir: str,
    *,
    writable: tuple[Path, ...],
    spec: dict[str, Any] | None = None,
    limits: StepLimits | None = None,
) -> Box:
    """The limits of a child that serves a person who is waiting, or a step.

    ``spec`` says whether an endpoint is behind an SSH tunnel, which needs a loopback port. Without ``limits`` it has
    the memory of a step and the rest is bounded by the time-out of who waits.
    """
    return Box(
        private_dir=private_dir,
        writable=tuple(str(path) for path in writable),
        readable=restrictions.file_roots(),
        memory_mb=limits.memory_mb if limits else settings.STEP_MEMORY_MB,
        cpu_seconds=limits.cpu_seconds if limits else 0,
        loopback_listeners=_tunnels(spec or {}),
    )


def _tunnels(spec: dict[str, Any]) -> int:
    """How many endpoints of the spec are behind an SSH tunnel."""
    endpoints = (value for value in spec.values() if isinstance(value, dict))
    return sum(bool(one.get("config", {}).get("use_tunnel")) for one in endpoints)


def call(
    organization: Organization,
    entry: str,
    spec: dict[str, Any],
    *,
    seconds: float = SECONDS,
    writable: tuple[Path, ...] = (),
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Run a short operation to its end; its events, or the error it ended with, raised.

    What a child says has its secrets masked already (``common.children``).
    """
    private_dir = make_private_dir()
    full = {**policy(organization), "private_dir": str(private_dir), **spec}
    # The first call of a process imports dlt and dbt; that is not the system's delay.
    pool().warm_up()
    outcome = run_to_end(
        pool(),
        entry,
        full,
        box(private_dir, writable=(files_root(organization), *writable), spec=full),
        timeout=seconds,
        on_event=on_event,
    )
    if outcome.error:
        raise error_of(outcome.error)
    return outcome.events


def error_of(event: dict[str, Any]) -> DatanikaError:
    """The exception an ``error`` event stands for."""
    kind: type[DatanikaError] = TransientError if event.get("transient") else UserError
    if event.get("code") == NotFound.code:
        kind = NotFound
    error = kind(
        event["message"],
        field=event.get("field", ""),
        remedy=event.get("remedy", ""),
        detail=event.get("detail", ""),
    )
    error.code = event.get("code", error.code)
    error.signature = event.get("signature", "")
    return error


def check(organization: Organization, endpoint: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """The stages of a check, as they are tried."""
    events = call(organization, f"{OPERATIONS}:check", {"endpoint": endpoint, "role": role})
    return [event for event in events if event["event"] == "stage"]


def discover(
    connection: Connection, *, search: str = "", schema: str = "", after: str = "", limit: int = 200
) -> dict[str, Any]:
    """A page of tables or files: ``{"tables": […], "schemas": […], "next": …}``."""
    spec = {"search": search, "schema": schema, "after": after, "limit": limit}
    return _ask(connection, "discover", spec)


def list_tables(connection: Connection, *, schema: str) -> tuple[list[list[Any]], bool]:
    """Every table of a schema as (name, kind, estimated rows), and whether the list was cut short."""
    spec = {"endpoint": connection.as_endpoint(), "schema": schema}
    events = call(connection.organization, f"{OPERATIONS}:tables", spec)
    pages = [event["value"] for event in events if event["event"] == "data"]
    return [table for page in pages for table in page["tables"]], pages[-1]["is_cut"]


def describe(connection: Connection, *, schema: str, table: str, query: str = "") -> dict[str, Any]:
    """One table with its columns and primary key; or the columns of a query in its place."""
    spec = {"schema": schema, "table": table, "query": query}
    return _ask(connection, "describe", spec)


def sample(
    connection: Connection,
    *,
    schema: str,
    table: str,
    query: str = "",
    columns: list[str] | None = None,
    filters: list[dict[str, Any]] | None = None,
    limit: int = 20,
) -> dict[str, Any]:
    """Some rows as text, and how many rows the filters keep (``connectors.base.Sample``)."""
    spec = {
        "schema": schema,
        "table": table,
        "query": query,
        "columns": columns,
        "filters": filters or [],
        "limit": limit,
    }
    return _ask(connection, "sample", spec, seconds=SAMPLE_SECONDS)


def count(
    connection: Connection,
    *,
    schema: str,
    table: str,
    filters: list[dict[str, Any]],
    query: str = "",
) -> dict[str, Any]:
    """How many rows the filters keep, as ``sample`` says it."""
    spec = {"schema": schema, "table": table, "query": query, "filters": filters}
    return _ask(connection, "count", spec, seconds=SAMPLE_SECONDS)


def _ask(
    connection: Connection, operation: str, spec: dict[str, Any], *, seconds: float = SECONDS
) -> dict[str, Any]:
    endpoint = {"endpoint": connection.as_endpoint()}
    entry = f"{OPERATIONS}:{operation}"
    events = call(connection.organization, entry, endpoint | spec, seconds=seconds)
    value: dict[str, Any] = next(e["value"] for e in events if e["event"] == "data")
    return value
