"""One DuckDB for one load: it sees the source and, where it can, the destination. Opened at first use."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from connections.connectors.duckdb_support import load_extension
from connections.connectors.sql import quote_text
from pipelines.engine.endpoints import Limits, duckdb_session
from pipelines.engine.events import PROGRESS_SECONDS
from pipelines.engine.sqltext import ident

#: What nearly every load does with, however large its table. DuckDB would fill whatever it is given.
_FIRST_MB = 192
#: The names under which it sees the two ends.
SOURCE, DESTINATION = "_dlt_source", "_dlt_destination"


class Session:
    """A connection in memory to which both ends are attached. Used as a context manager."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._stack = ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._files: dict[Path, str] = {}
        self._has_more = False

    @property
    def connection(self) -> "duckdb.DuckDBPyConnection":
        if self._connection is None:
            first = replace(self.limits, memory_mb=min(_FIRST_MB, self.limits.memory_mb))
            self._connection = self._stack.enter_context(duckdb_session(None, first))
        return self._connection

    def allow_more_memory(self) -> bool:
        """Go up to the load's own limit; False when it is there already."""
        if self._has_more or self.limits.memory_mb <= _FIRST_MB:
            return False
        self._has_more = True
        self.connection.execute(f"SET memory_limit = '{self.limits.memory_mb}MB'")
        return True

    def shut_in(self, directories: Sequence[Path]) -> None:
        """From here on statements reach these directories and the load's own, no other file and no network."""
        for extension in ("postgres", "sqlite", "json"):
            # They lie elsewhere, and a destination may need them.
            load_extension(self.connection, extension)
        own = [self.limits.temp_dir] if self.limits.temp_dir else []
        if own:
            # Asking what is loaded looks into this directory.
            self.connection.execute(f"SET extension_directory = {quote_text(str(own[0]))}")
        listed = ", ".join(quote_text(str(path)) for path in (*directories, *own))
        self.connection.execute(f"SET allowed_directories = [{listed}]")
        self.connection.execute("SET enable_external_access = false")

    def attach_file(self, path: Path, name: str, *, read_only: bool) -> str:
        """Attach a DuckDB file; the name under which it is known, for one file may be both ends."""
        known = self._files.get(path)
        if known:
            return known
        options = " (READ_ONLY)" if read_only else ""
        self.connection.execute(f"ATTACH {quote_text(str(path))} AS {ident(name)}{options}")
        self._files[path] = name
        return name

    def detach_file(self, path: Path) -> None:
        """Let go of an attached file, which writes it down."""
        if name := self._files.pop(path, None):
            # What is in use cannot be let go.
            self.connection.execute("USE memory.main")
            self.connection.execute(f"DETACH {ident(name)}")

    def value(self, statement: str, parameters: list[Any] | None = None) -> Any:
        """The first value of the first row, or None."""
        row = self.connection.execute(statement, parameters).fetchone()
        return row[0] if row else None

    def count(self, statement: str) -> int:
        """The number of rows a statement wrote, or the number it asks for."""
        return int(self.value(statement) or 0)

    @contextmanager
    def ordered(self, wanted: bool) -> Iterator[None]:
        """Keep the order of rows within only where it matters: it costs memory and threads.

        Outside, order is kept: whoever reads the first line of a file must get the first.
        """
        if not wanted:
            self.connection.execute("SET preserve_insertion_order = false")
        try:
            yield
        finally:
            if not wanted:
                self.connection.execute("SET preserve_insertion_order = true")

    @contextmanager
    def watched(self, said: "Any", total: int | None) -> Iterator[None]:
        """Report how far a long statement is, from a second thread, while the first waits inside DuckDB."""
        if not total:
            yield
            return
        finished, connection = threading.Event(), self.connection

        def report() -> None:
            while not finished.wait(PROGRESS_SECONDS):
                percent = connection.query_progress()
                if percent > 0:
                    said(int(total * min(percent, 100.0) / 100))

        thread = threading.Thread(target=report, daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join()

    def close(self) -> None:
        self._stack.close()
        self._connection = None

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
