"""Datanika's own runs, through the real door: a warm parent, a boxed child, a spec in and events out."""

import itertools
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from bench.measure import Measured, Processors, Watch
from common.children.client import ChildPool, new_private_dir
from connections.preload import PRELOAD
from connections.runner import box

LOAD = "pipelines.engine.main:load"
PROFILED = "bench.profiled:run"
REFERENCE = "bench.references:run"

_numbers = itertools.count(1)


class RunFailed(AssertionError):
    """A run that was to be measured ended with an error."""


@dataclass
class Ran:
    """A run to its ``done``: what it took, and every event it sent."""

    measured: Measured
    events: list[dict[str, Any]]

    @property
    def results(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "result"]


@dataclass
class Engine:
    """The warm parent of a worker, with directories of its own for files, packages and scratch."""

    work: Path
    #: The processes of the database servers, whose processor time is told apart from ours.
    servers: list[int] = field(default_factory=list)
    pool: ChildPool = field(init=False)
    parent: int = field(init=False)

    def __post_init__(self) -> None:
        for folder in (self.files, self.work / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        self.pool = ChildPool((*PRELOAD, "bench.references", "bench.profiled"))
        report = self.pool.warm_up()
        if report.failed:
            raise RunFailed(f"The warm parent could not import: {report.failed}")
        self.parent = report.pid

    @property
    def files(self) -> Path:
        """The files directory of the organization that is measured."""
        return self.work / "files"

    @property
    def packages(self) -> Path:
        """What the engine may keep between the attempts of a pipeline."""
        return self.work / "packages"

    def forget(self) -> None:
        """As if the pipeline had never run on this machine."""
        shutil.rmtree(self.packages, ignore_errors=True)

    def place(self, file: Path) -> str:
        """The file in the files directory, under a name to put into a spec; nothing is copied."""
        link = self.files / f"{file.parent.name}{file.suffix}"
        if not link.exists():
            os.link(file, link)
        return link.name

    def spec(
        self, source: dict[str, Any], destination: dict[str, Any], **changes: Any
    ) -> dict[str, Any]:
        """A load as the platform would order it; ``changes`` are keys of the spec."""
        spec: dict[str, Any] = {
            "source": source,
            "destination": destination,
            "dataset": "raw",
            "pipeline": {"id": 1, "slug": "bench", "name": "Bench"},
            "mode": "single_table",
            "source_schema": "",
            "include": [],
            "exclude": [],
            "defaults": {
                "write_disposition": "replace",
                "merge_strategy": "upsert",
                "schema_contract": {},
                "verify": "none",
            },
            "resources": [],
            "options": {},
            "cursors": {},
            "hash_key": "bench",
            "load_id": f"{int(time.time())}.{next(_numbers)}",
            "attempt": 1,
            "work_dir": str(self.packages),
            # As pipelines.runner gives them.
            "limits": {"memory_mb": settings.STEP_MEMORY_MB // 4, "threads": 2},
        }
        return spec | changes

    def run(self, entry: str, spec: dict[str, Any]) -> Ran:
        """From the order to ``done``, watched; raises ``RunFailed`` for anything else than ``done``."""
        self.packages.mkdir(parents=True, exist_ok=True)
        private = new_private_dir(self.work / "tmp")
        full = {
            "files_root": str(self.files),
            "allowed_roots": [],
            "egress": "private-allowed",
            **spec,
            "private_dir": private,
        }
        shut_in = box(private, writable=(self.files, self.packages))
        processors = Processors(self.parent, self.servers)
        started = time.perf_counter()
        child = self.pool.spawn(entry, full, shut_in)
        with closing(child), Watch([child.pid], self.parent) as watch:
            events: list[dict[str, Any]] = []
            first = ended = 0.0
            while not child.finished:
                for event in child.read_events(60):
                    first = first or time.perf_counter() - started
                    events.append(event)
                    if event["event"] == "done":
                        ended = time.perf_counter() - started
        if not ended:
            last = events[-1]
            raise RunFailed(f"{entry}: {last.get('message')} {last.get('detail', '')}")
        client, server = processors.used()
        measured = Measured(
            ended, client, server, watch.peak_mb, watch.parent_mb, phases_of(events, first)
        )
        return Ran(measured, events)

    def load(self, spec: dict[str, Any]) -> Ran:
        """Load, and insist that every table arrived."""
        ran = self.run(LOAD, spec)
        late = [result for result in ran.results if result["status"] != "succeeded"]
        if late or not ran.results:
            raise RunFailed(f"Not every table was loaded: {late or 'there is no result'}")
        return ran

    def profile(self, spec: dict[str, Any]) -> str:
        """The profile of one more such load, as text."""
        ran = self.run(PROFILED, spec)
        return next(str(event["value"]) for event in ran.events if event["event"] == "data")

    def reference(self, extensions: Sequence[str], statements: Sequence[str]) -> Measured:
        """Raw DuckDB in the same kind of child."""
        spec = {"extensions": list(extensions), "statements": list(statements)}
        return self.run(REFERENCE, spec).measured

    def close(self) -> None:
        self.pool.close()
        shutil.rmtree(self.work, ignore_errors=True)


def phases_of(events: list[dict[str, Any]], first: float) -> str:
    """Seconds to the first event, and what the results say of reading and committing."""
    parts = [f"first event {first:.2f} s"]
    sums: dict[str, float] = {}
    for event in events:
        if event["event"] == "result":
            for name, seconds in (event.get("seconds") or {}).items():
                sums[name] = sums.get(name, 0.0) + float(seconds)
    parts += [f"{name} {seconds:.2f} s" for name, seconds in sums.items()]
    lanes = {str(event["lane"]) for event in events if event.get("lane")}
    return ", ".join([*parts, *sorted(f"lane {lane}" for lane in lanes)])
