"""The broker of the embedded mode: kombu's file transport, made safe for several processes.

kombu's own writes a message into a file that a reader may already see; a worker that reads it half written ends with
"Unrecoverable error". Here a message appears by a rename, whole, and a rename decides who takes it.
"""

import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    """Messages and bindings as files, each written aside and renamed into place."""

    # The types kombu is given name this argument in two ways.
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        # The wall clock first: a directory listing in name order is the order of sending.
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, payload)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        ending = f".{queue}.msg"
        for name in sorted(entry for entry in os.listdir(folder) if entry.endswith(ending)):
            taken = folder / f".{name}.taken"
            try:
                os.rename(folder / name, taken)
            except FileNotFoundError:  # another worker was quicker
                continue
            try:
                return loads(taken.read_text(encoding="utf-8"))
            finally:
                taken.unlink(missing_ok=True)
        raise Empty

    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:  # type: ignore[override]
        try:
            text = self._exchange_path(exchange).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [filesystem.exchange_queue_t(*entry) for entry in loads(text)]

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        table = self.get_table(exchange)
        entry = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        if entry not in table:
            # Two processes that bind at once bind the same one queue: the later rename loses nothing.
            _write(self._exchange_path(exchange), [entry, *table])

    def _exchange_path(self, exchange: str) -> Path:
        # kombu's stubs do not know its own check of the name.
        path: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]
        return path


class Transport(filesystem.Transport):
    Channel = Channel
    implements = virtual.Transport.implements


def _write(path: Path, content: Any) -> None:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    part.write_text(dumps(content), encoding="utf-8")
    part.replace(path)


def forget_messages(folder: Path) -> None:
    """Drop bells left from an earlier time: the sweep rings again for whatever is still to be done."""
    for path in [*folder.glob("*.msg"), *folder.glob(".*.taken"), *folder.glob(".*.part")]:
        path.unlink(missing_ok=True)
