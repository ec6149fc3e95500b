"""A load as its contract describes it, run in this process, and what came of it."""

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.children.failures import error_event
from pipelines.engine.main import load

_steps = itertools.count(1)


def new_load_id() -> str:
    """As a run step makes it: its start in seconds, and its number."""
    return f"{int(time.time())}.{next(_steps)}"


@dataclass
class Ended:
    """The events of a load; ``error`` is the last one of a load that failed."""

    events: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The results of the tables by target."""
        return {event["target"]: event for event in self.events if event["event"] == "result"}

    @property
    def summary(self) -> dict[str, Any]:
        assert self.error is None, self.error
        assert self.events[-1]["event"] == "done", self.events[-1]
        found: dict[str, Any] = self.events[-1]["summary"]
        return found


class Pipeline:
    """A pipeline below a directory; ``load`` runs it once."""

    def __init__(
        self,
        directory: Path,
        source: dict[str, Any],
        destination: dict[str, Any],
        *,
        dataset: str = "raw",
        source_schema: str = "",
    ) -> None:
        self.files = directory / "files"
        private = directory / "private"
        for place in (self.files, private):
            place.mkdir(exist_ok=True)
        self.spec: dict[str, Any] = {
            "files_root": str(self.files),
            "allowed_roots": [],
            "egress": "private-allowed",
            "private_dir": str(private),
            "limits": {"memory_mb": 512, "threads": 2},
            "source": source,
            "destination": destination,
            "dataset": dataset,
            "pipeline": {"id": 7, "slug": "shop", "name": "Shop"},
            "attempt": 1,
            "work_dir": str(directory / "work"),
            "mode": "single_table",
            "source_schema": source_schema,
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
            "hash_key": "0" * 32,
        }

    def spec_of(self, *resources: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """The spec of a new load of these resources."""
        made = {"load_id": new_load_id(), "resources": list(resources), **changes}
        return {**self.spec, **made}

    def load(self, *resources: dict[str, Any], **changes: Any) -> Ended:
        """Run once. What the engine raises becomes the event a child would have written."""
        ended = Ended()
        try:
            load(self.spec_of(*resources, **changes), ended.events.append)
        except Exception as error:  # noqa: BLE001 - as the boundary of the child does
            ended.error = error_event(error)
        return ended


def resource(name: str, schema: str = "", **changes: Any) -> dict[str, Any]:
    """A resource of the contract that leaves everything but its name out."""
    empty = {
        "schema": schema,
        "name": name,
        "target": name,
        "query": "",
        "selected": True,
        "write_disposition": "",
        "merge_strategy": "",
        "primary_key": [],
        "cursor": None,
        "columns": None,
        "column_settings": {},
        "filters": [],
        "schema_contract": {},
        "verify": "",
    }
    return {**empty, **changes}
