"""The machine-readable mark of a node that dbt could not build: dbt itself hands over text only."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg2
from dbt.adapters.postgres.connections import PostgresConnectionManager

from common.signatures import signature_of, signature_of_duckdb

#: "Database Error in model daily (models/daily.sql)"
_HEADER: Final = re.compile(r"^(?P<kind>[A-Z]\w+(?: [A-Z]\w+)*) Error\b")
_NUMBERED: Final = re.compile(r"(\d{4}): ")
#: First line of what PostgreSQL said → its SQLSTATE. One child is one build, so it stays small.
_states: Final[dict[str, str]] = {}
_MOST: Final = 1000

_handle: Final = PostgresConnectionManager.exception_handler


def remember_states() -> None:
    """Note the SQLSTATE of each error before dbt makes text of it."""

    @contextmanager
    def exception_handler(self: Any, sql: str) -> Iterator[Any]:
        with _handle(self, sql):
            try:
                yield
            except psycopg2.Error as error:
                lines = str(error).strip().splitlines()
                if lines and len(_states) < _MOST:
                    _states[lines[0].strip()] = signature_of(error)
                raise

    setattr(PostgresConnectionManager, "exception_handler", exception_handler)  # noqa: B010, no such method is foreseen


def mark_of(status: str, message: str) -> str:
    """The mark of one failed node: the warehouse's own where it is known, else dbt's kind of error."""
    if status in {"fail", "warn"}:
        return "dbt:test_failed"
    for line in message.splitlines():
        if mark := _states.get(line.strip()) or signature_of_duckdb(line):
            return mark
        # Our adapter for MySQL puts the server's number first.
        if numbered := _NUMBERED.match(line.strip()):
            return f"mysql:{numbered[1]}"
    found = _HEADER.match(message.strip())
    return f"dbt:{found['kind'].lower().replace(' ', '_')}_error" if found else "dbt:error"
