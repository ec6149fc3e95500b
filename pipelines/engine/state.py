"""What must survive a kill: the lock of the working directory and the journal of the tables of this run."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.errors import TransientError
from pipelines.engine.model import TablePlan


@contextmanager
def locked(work_dir: Path) -> Iterator[None]:
    """Hold the directory alone. The lock goes with the process, however it ends."""
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


@dataclass(frozen=True)
class Entry:
    """A table that was read completely: enough to load it, and to account for it, without its source."""

    load_id: str
    plan: TablePlan
    rows_read: int
    rows_kept: int
    cursor_after: str | None
    longest_row: int
    started_at: str

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "plan": self.plan.as_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Entry":
        return cls(**{**value, "plan": TablePlan.from_json(value["plan"])})


class Journal:
    """The entries of one run by target, on disk before the load of each begins."""

    def __init__(self, work_dir: Path, destination: str) -> None:
        self._path = work_dir / "journal.json"
        self._destination = destination
        self._entries: dict[str, Entry] = {}

    def read(self) -> bool:
        """Take up what is there. Answers False when it belongs to another destination, or to nothing readable."""
        try:
            value = json.loads(self._path.read_text())
            if value["destination"] != self._destination:
                return False
            self._entries = {
                target: Entry.from_json(entry) for target, entry in value["tables"].items()
            }
        except FileNotFoundError:
            return True
        except (ValueError, KeyError, TypeError):
            return False
        return True

    def entries(self) -> list[Entry]:
        return list(self._entries.values())

    def of_load(self, load_id: str) -> Entry | None:
        return next((entry for entry in self._entries.values() if entry.load_id == load_id), None)

    def get(self, target: str) -> Entry | None:
        return self._entries.get(target)

    def add(self, entry: Entry) -> None:
        self._entries[entry.plan.target] = entry
        self._write()

    def clear(self) -> None:
        self._entries = {}
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        value = {
            "destination": self._destination,
            "tables": {target: entry.as_json() for target, entry in self._entries.items()},
        }
        temporary = self._path.with_suffix(".new")
        with temporary.open("w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def fingerprint(connector: str, config: dict[str, Any], dataset: str) -> str:
    """Tells one destination from another; secrets take no part."""
    text = json.dumps([connector, config, dataset], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
