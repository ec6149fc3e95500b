"""Rows from DuckDB to another driver through a named pipe: nothing is written down, and both sides work at once."""

import fcntl
import os
import select
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

from connections.connectors.sql import quote_text
from pipelines.engine.session import Session

_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_LOOK_MS = 200


class Written:
    """A COPY of DuckDB into a pipe. ``blocks`` yields what it writes; ``rows`` is known at its end."""

    def __init__(self, session: Session, select_text: str, options: str) -> None:
        directory = session.limits.temp_dir or Path(".")
        self._session = session
        self._path = directory / f"pipe-{threading.get_ident()}-{id(self):x}"
        self._statement = f"COPY ({select_text}) TO {quote_text(str(self._path))} ({options})"
        self._error: BaseException | None = None
        self.rows = 0

    def blocks(self) -> Generator[bytes, None, None]:
        """What DuckDB writes, as it comes. Raises DuckDB's own error before the end is taken for one.

        Who takes them closes it: until then DuckDB waits for somebody to read, and its connection for DuckDB.
        """
        os.mkfifo(self._path, 0o600)
        # Without waiting for a writer, which may fail before it opens the pipe.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        _widen(descriptor)
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
        finished = False
        try:
            yield from self._read(descriptor, writer)
            finished = True
        finally:
            if not finished:
                self._session.connection.interrupt()
            os.close(descriptor)
            writer.join()
            self._path.unlink(missing_ok=True)
        if self._error:
            raise self._error

    def _read(self, descriptor: int, writer: threading.Thread) -> Iterator[bytes]:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while True:
            alive = writer.is_alive()
            if poll.poll(_LOOK_MS) and (block := _take(descriptor)):
                yield block
            elif not alive:
                break
            elif not writer.is_alive():
                # It ended between the look and the read: once more for the rest.
                continue
            else:
                writer.join(0.001)
        if self._error:
            raise self._error

    def _write(self) -> None:
        try:
            self.rows = self._session.count(self._statement)
        except BaseException as error:  # noqa: BLE001, raised again by whoever reads
            self._error = error


def _take(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ_BYTES)
    except BlockingIOError:
        return b""


def _widen(descriptor: int) -> None:
    # Linux only: a larger pipe saves changes between the two threads.
    size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if size is not None:
        try:
            fcntl.fcntl(descriptor, size, _PIPE_BYTES)
        except OSError:
            return
