"""Sessions of MySQL and MariaDB in which tenants' text may only ask."""

import re
from typing import Any, Final

import pymysql
from dbt.adapters.mysql.connections import several_statements
from pymysql.cursors import Cursor

_UNKNOWN_SETTING: Final = 1193
#: What dbt itself asks while a text compiles, by the macro of our adapter.
_SHOW_COLUMNS: Final = re.compile(r"\s*(/\*[^*]*\*/\s*)?show columns from `[^`;]+`(\.`[^`;]+`)?\s*")


class SelectOnly(Cursor):
    """Runs SELECTs and nothing else: each as a subquery, which cannot write, set or name a file.

    For the session that dbt asks while a text compiles; ``read_only`` sets it up.
    """

    def execute(self, query: str, args: Any = None) -> int:
        text = query if args is None else self.mogrify(query, args)
        # dbt opens and closes transactions of its own; this session has none that could write.
        if text in ("BEGIN", "COMMIT"):
            return 0
        if _SHOW_COLUMNS.fullmatch(text):
            return int(super().execute(text))
        return int(super().execute(f"select * from (\n{text}\n) as answer"))


def read_only(handle: Any, seconds: int) -> None:
    """From now on this connection of dbt only reads, one statement at a time."""
    with handle.cursor() as cursor:
        limit_statements(cursor, seconds)
        cursor.execute("set session transaction read only")
    # The bracket around a text holds one statement; what follows it would be free.
    several_statements(handle, allowed=False)
    handle.cursorclass = SelectOnly


def limit_statements(cursor: Any, seconds: int) -> None:
    """How long a SELECT may take: MariaDB counts seconds, MySQL milliseconds."""
    try:
        cursor.execute(f"set session max_statement_time = {seconds}")
    except pymysql.MySQLError as error:
        if error.args[0] != _UNKNOWN_SETTING:
            raise
        cursor.execute(f"set session max_execution_time = {seconds * 1000}")
