"""Rows from the hub into a MySQL table: LOAD DATA through a pipe, or INSERTs where the server takes no files."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pymysql

from connections.connectors.mysql_connection import load_local
from connections.connectors.mysql_errors import number_of
from connections.connectors.sql import Dialect
from pipelines.engine.errors import Unconvertible
from pipelines.engine.fifo import Written
from pipelines.engine.session import Session
from pipelines.engine.sqltext import ident

#: No escape character, so that a backslash is one; NULL is the bare word, a text is always in quotes.
_CSV = "FORMAT csv, HEADER false, NULLSTR 'NULL', QUOTE '\"', ESCAPE '\"'"
_FIELDS = (
    "CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''"
    " LINES TERMINATED BY '\\n'"
)
#: Rows of one INSERT, and rows taken from the hub at a time.
_BATCH = 500
#: A value is out of range, too long, no date, no character of the column's set or no number.
_DATA_ERRORS = frozenset({1264, 1265, 1292, 1366, 1367, 1406, 1411, 3140, 4025})


class Rows:
    """What a SELECT of the hub yields, for one table. ``binary`` columns come as hexadecimal digits."""

    def __init__(
        self,
        session: Session,
        select: str,
        names: Sequence[str],
        *,
        texts: Sequence[str],
        binary: Sequence[str],
    ) -> None:
        self._session, self._select, self._names = session, select, list(names)
        self._texts, self._binary = list(texts), set(binary)
        self.rows = 0

    def load(self, connection: Any, table: str, counted: Callable[[int], None]) -> int:
        """LOAD DATA LOCAL INFILE. The server warns where it would change a value; then nothing counts."""
        quoted = f", FORCE_QUOTE ({', '.join(map(ident, self._texts))})" if self._texts else ""
        pipe = Written(self._session, self._select, _CSV + quoted)
        fields, assigned = [], []
        for index, name in enumerate(self._names):
            own = ident(name, Dialect.MYSQL)
            fields.append(f"@v{index}" if name in self._binary else own)
            if name in self._binary:
                assigned.append(f"{own} = UNHEX(@v{index})")
        changed = f" SET {', '.join(assigned)}" if assigned else ""
        written, warnings = load_local(
            connection,
            f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table} {_FIELDS} ({', '.join(fields)}){changed}",
            _passed(pipe, counted),
        )
        self.rows = pipe.rows
        if warnings:
            raise Unconvertible
        return written

    def insert(self, connection: Any, table: str) -> int:
        """INSERTs of many rows each, for a server that takes no LOAD DATA LOCAL."""
        own = ", ".join(ident(name, Dialect.MYSQL) for name in self._names)
        values = ", ".join("UNHEX(%s)" if name in self._binary else "%s" for name in self._names)
        statement = f"INSERT INTO {table} ({own}) VALUES ({values})"
        texts = ", ".join(f"CAST({ident(name)} AS VARCHAR)" for name in self._names)
        found = self._session.connection.execute(f"SELECT {texts} FROM ({self._select})")
        with connection.cursor() as cursor:
            while rows := found.fetchmany(_BATCH):
                try:
                    cursor.executemany(statement, rows)
                except pymysql.Error as error:
                    if number_of(error) in _DATA_ERRORS:
                        raise Unconvertible from error
                    raise
                self.rows += len(rows)
        return self.rows


def _passed(pipe: Written, counted: Callable[[int], None]) -> Iterator[bytes]:
    for block in pipe.blocks():
        counted(len(block))
        yield block
