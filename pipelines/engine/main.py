"""The entry points of the engine: one spec in, events out (docs/architecture.md, Entry points)."""

import time
from pathlib import Path
from typing import Any

import dlt

from connections.connectors.attempts import take_over
from pipelines.engine import looks
from pipelines.engine.endpoints import Limits
from pipelines.engine.ends import destination_of, directories_of, locked, reader_of
from pipelines.engine.errors import translate, without_paths
from pipelines.engine.events import Emit, Reporter, rows_text
from pipelines.engine.load import Load
from pipelines.engine.session import Session


def load(spec: dict[str, Any], emit: Emit) -> None:
    """Load the resources of a pipeline.

    Raises ``UserError`` or ``TransientError`` for what a person can understand; tables committed before stay.
    """
    reporter = Reporter(emit)
    started = time.monotonic()
    with locked(Path(spec["work_dir"])), Session(Limits.from_spec(spec)) as session:
        try:
            take_over(spec, "source", "destination")
            destination = destination_of(spec, session)
            job = Load(spec, session, destination, lambda: reader_of(spec, session), reporter)
            summary = job.run()
        except Exception as error:
            found = translate(error, "The load")
            raise without_paths(found, directories_of(spec)) from error
    seconds = time.monotonic() - started
    reporter.log(
        f"{rows_text(summary['rows_loaded'])} in {summary['tables']} "
        f"table{'' if summary['tables'] == 1 else 's'}, {seconds:.1f} s",
        level="ok",
    )
    reporter.done({**summary, "seconds": round(seconds, 3), "dlt_version": dlt.__version__})


def estimate(spec: dict[str, Any], emit: Emit) -> None:
    """How many rows a load would read and take away."""
    _answer(spec, emit, looks.estimate)


def state(spec: dict[str, Any], emit: Emit) -> None:
    """Where the cursors stand."""
    _answer(spec, emit, looks.state)


def rejects(spec: dict[str, Any], emit: Emit) -> None:
    """A page of refused rows."""
    _answer(spec, emit, looks.rejects)


def discard_rejects(spec: dict[str, Any], emit: Emit) -> None:
    """Throw refused rows away for good."""
    _answer(spec, emit, looks.discard_rejects)


def _answer(spec: dict[str, Any], emit: Emit, look: looks.Look) -> None:
    with Session(Limits.from_spec(spec)) as session:
        try:
            value = look(spec, session)
        except Exception as error:
            found = translate(error, "Looking at the destination")
            raise without_paths(found, directories_of(spec)) from error
    emit({"event": "data", "value": value})
    emit({"event": "done", "summary": {}})
