"""From a spec to its two ends."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from common.errors import TransientError, UserError
from connections.connectors.base import Target
from pipelines.engine.destinations.base import Destination
from pipelines.engine.readers.base import Reader
from pipelines.engine.session import Session

#: Connector key → module and class. Imported at the moment of use: a route needs its own drivers only.
_READERS = {
    "postgres": ("postgres", "PostgresReader"),
    "mysql": ("mysql", "MySqlReader"),
    "sqlite": ("sqlite", "SqliteReader"),
    "duckdb": ("duck", "DuckDbReader"),
    **dict.fromkeys(("files", "csv", "jsonl", "json", "parquet"), ("files", "FilesReader")),
}
_DESTINATIONS = {
    "postgres": ("postgres", "PostgresDestination"),
    "mysql": ("mysql", "MySqlDestination"),
    "sqlite": ("sqlite", "SqliteDestination"),
    "duckdb": ("duckdb", "DuckDbDestination"),
    "parquet": ("parquet", "ParquetDestination"),
}


def destination_of(spec: dict[str, Any], session: Session) -> Destination:
    """The destination of the spec; opened by its user, not here."""
    target = Target.from_spec(spec, "destination")
    if target.connector not in _DESTINATIONS:
        raise UserError(
            f'"{target.connector}" cannot be loaded into.',
            field="destination",
            remedy="Choose a database or Parquet files.",
        )
    module, name = _DESTINATIONS[target.connector]
    kind: Callable[..., Destination] = getattr(
        import_module(f"pipelines.engine.destinations.{module}"), name
    )
    return kind(target, session, spec["dataset"], f"pipeline_{spec['pipeline']['id']}")


def reader_of(spec: dict[str, Any], session: Session) -> Reader:
    """The source of the spec, opened."""
    target = Target.from_spec(spec, "source")
    if target.connector not in _READERS:
        raise UserError(f'"{target.connector}" cannot be read from.', field="source")
    module, name = _READERS[target.connector]
    kind: Callable[..., Reader] = getattr(import_module(f"pipelines.engine.readers.{module}"), name)
    reader = kind(target, session)
    if target.connector == "duckdb":
        # Its views and queries are a stranger's SQL: they see the organization's files and nothing else.
        session.shut_in([target.files_root, *target.allowed_roots])
    return reader


@contextmanager
def at_end(name: str) -> Iterator[None]:
    """What is raised within came from this end, ``source`` or ``destination``: both may be of one kind."""
    try:
        yield
    except Exception as error:
        if not getattr(error, "end", ""):
            error.end = name  # type: ignore[attr-defined]
        raise


@contextmanager
def opened(open_reader: Callable[[], Reader], destination: Destination) -> Iterator[Reader]:
    """Both ends, closed in the end."""
    with ExitStack() as stack:
        with at_end("source"):
            reader = stack.enter_context(open_reader())
        with at_end("destination"):
            stack.enter_context(destination.opened())
        yield reader


def directories_of(spec: dict[str, Any]) -> list[str]:
    """The machine's own directories a load knows, which no person needs to read."""
    return [
        str(Path(found).resolve())
        for key in ("files_root", "private_dir", "work_dir")
        if (found := spec.get(key))
    ]


@contextmanager
def locked(work_dir: Path) -> Iterator[None]:
    """Hold the pipeline's directory alone on this machine. The lock goes with the process, however it ends."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with (work_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TransientError(
                "Another load of this pipeline is still running.",
                remedy="Wait until it ends, or cancel it.",
            ) from error
        yield
