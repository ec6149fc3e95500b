"""What a load says while it runs: lines for a person, progress, one result a table (docs/architecture.md, Events)."""

import time
from collections.abc import Callable
from typing import Any

Emit = Callable[[dict[str, Any]], None]

#: A progress event at most this often; a reader of the page sees no more anyway.
PROGRESS_SECONDS = 0.5


class Reporter:
    """Writes the events of one load. Thread-safe as long as ``emit`` is."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._last_progress = 0.0

    def log(self, text: str, *, level: str = "info", scope: str = "load") -> None:
        self._emit({"event": "log", "level": level, "scope": scope, "text": text})

    def debug(self, text: str, *, scope: str = "load") -> None:
        self.log(text, level="debug", scope=scope)

    def warn(self, text: str, *, scope: str = "load") -> None:
        self.log(text, level="warn", scope=scope)

    def progress(self, scope: str, rows: int, total: int | None, *, force: bool = False) -> None:
        """Say how far a step is; calls that come too soon after the last one are dropped."""
        now = time.monotonic()
        if not force and now - self._last_progress < PROGRESS_SECONDS:
            return
        self._last_progress = now
        # An estimate of the source may lie below what was read by now.
        total = None if total is None else max(total, rows)
        self._emit({"event": "progress", "scope": scope, "rows": rows, "total": total})

    def result(self, fields: dict[str, Any]) -> None:
        self._emit({"event": "result", "kind": "table", **fields})

    def done(self, summary: dict[str, Any]) -> None:
        self._emit({"event": "done", "summary": summary})


def thousands(number: int) -> str:
    """11402 as "11,402"."""
    return f"{number:,}"


def rows_text(number: int) -> str:
    """ "1 row", "11,402 rows"."""
    return f"{number:,} row{'' if number == 1 else 's'}"
