"""The entry point of a load: one spec in, events out."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt

from common.errors import DatanikaError, UserError
from connections.connectors.base import Target
from pipelines.engine.endpoints import Limits
from pipelines.engine.errors import translate
from pipelines.engine.events import Emit, Reporter, rows_text
from pipelines.engine.jobs.duckdb import DuckDbWarehouse
from pipelines.engine.jobs.postgres import PostgresWarehouse
from pipelines.engine.load import Load
from pipelines.engine.readers.base import Reader
from pipelines.engine.state import Journal, fingerprint, locked
from pipelines.engine.warehouse import Warehouse


def load(spec: dict[str, Any], emit: Emit) -> None:
    """Load the resources of a pipeline (docs/architecture.md, Entry points).

    Raises ``UserError`` or ``TransientError`` for what a person can understand; tables committed before stay.
    """
    reporter = Reporter(emit)
    started = time.monotonic()
    work_dir = Path(spec["work_dir"])
    with locked(work_dir):
        try:
            summary = _load(spec, reporter, work_dir)
        except DatanikaError:
            raise
        except Exception as error:
            raise translate(error, "The load") from error
    seconds = time.monotonic() - started
    reporter.log(
        f"{rows_text(summary['rows_loaded'])} in {summary['tables']} "
        f"table{'' if summary['tables'] == 1 else 's'}, {seconds:.1f} s",
        level="ok",
    )
    reporter.done({**summary, "seconds": round(seconds, 3), "dlt_version": dlt.__version__})


def _load(spec: dict[str, Any], reporter: Reporter, work_dir: Path) -> dict[str, Any]:
    limits = Limits.from_spec(spec)
    warehouse = open_warehouse(spec, limits)
    destination = spec["destination"]
    journal = Journal(
        work_dir, fingerprint(destination["connector"], destination["config"], spec["dataset"])
    )
    job = Load(spec, warehouse, lambda: open_reader(spec, limits), journal, work_dir, reporter)
    return job.run()


def open_warehouse(spec: dict[str, Any], limits: Limits) -> Warehouse:
    """The destination of the spec; opened by its user, not here."""
    target = Target.from_spec(spec, "destination")
    name = f"pipeline_{spec['pipeline']['id']}"
    kinds: dict[str, Callable[..., Warehouse]] = {
        "duckdb": DuckDbWarehouse,
        "postgres": PostgresWarehouse,
    }
    if target.connector not in kinds:
        raise UserError(
            f'"{target.connector}" cannot be loaded into.', remedy="Choose PostgreSQL or DuckDB."
        )
    return kinds[target.connector](target, limits, spec["dataset"], name)


def open_reader(spec: dict[str, Any], limits: Limits) -> Reader:
    """The source of the spec, opened."""
    target = Target.from_spec(spec, "source")
    if target.connector == "postgres":
        from pipelines.engine.readers.postgres import PostgresReader

        return PostgresReader(target)
    if target.connector == "sqlite":
        from pipelines.engine.readers.sqlite import SqliteReader

        return SqliteReader(target, limits)
    if target.connector == "duckdb":
        from pipelines.engine.readers.duck import DuckDbReader

        return DuckDbReader(target, limits)
    if target.connector in ("files", "csv", "jsonl", "json", "parquet"):
        from pipelines.engine.readers.files import FilesReader

        return FilesReader(target, limits)
    raise UserError(f'"{target.connector}" cannot be read from.')
