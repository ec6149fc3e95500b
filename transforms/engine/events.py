"""The events a dbt call writes, in the form docs/architecture.md gives them."""

from collections.abc import Callable
from typing import Any

from common.errors import DatanikaError

Emit = Callable[[dict[str, Any]], None]


class Reporter:
    """Writes events. dbt calls back from several threads, so ``emit`` has to be safe for that."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit

    def log(self, text: str, *, level: str = "info", scope: str = "dbt") -> None:
        self.emit({"event": "log", "level": level, "scope": scope, "text": text})

    def progress(self, done: int, total: int | None) -> None:
        self.emit({"event": "progress", "scope": "dbt", "rows": done, "total": total})

    def result(self, fields: dict[str, Any]) -> None:
        self.emit({"event": "result", **fields})

    def data(self, value: dict[str, Any]) -> None:
        self.emit({"event": "data", "value": value})

    def error(self, error: DatanikaError) -> None:
        self.emit(error.as_event())

    def done(self, summary: dict[str, Any]) -> None:
        self.emit({"event": "done", "summary": summary})
