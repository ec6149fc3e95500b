"""Looking at the warehouse beside dbt: rows and columns of what was built, failing rows of a test, a preview.

Reading only, and the engine itself refuses the rest: the DuckDB file is opened read-only for a preview, PostgreSQL gets
one prepared statement in a read-only transaction, MySQL one statement of a subquery's shape in such a transaction.
"""

from typing import Any, Final

import duckdb
import psycopg
import psycopg2
import pymysql

from common.errors import TransientError, UserError
from transforms.engine.warehouses.base import (
    LOOK_SECONDS,
    PREVIEW_SECONDS,
    SAMPLE_ROWS,
    QueryFailed,
    Relation,
    Rows,
    Warehouse,
)
from transforms.engine.warehouses.duckdb_file import (
    DuckDB,
    cursor_of_dbt,
    file_not_opened,
    open_file,
)
from transforms.engine.warehouses.mysql import Mysql
from transforms.engine.warehouses.postgres import Postgres

__all__ = [
    "LOOK_ERRORS",
    "LOOK_SECONDS",
    "PREVIEW_SECONDS",
    "SAMPLE_ROWS",
    "QueryFailed",
    "Relation",
    "Rows",
    "Warehouse",
    "connection_problem",
    "open_for_build",
    "open_for_preview",
]

_UNREACHED: Final = (
    psycopg2.OperationalError, psycopg2.InterfaceError,
    pymysql.OperationalError, pymysql.InterfaceError,
)  # fmt: skip
#: What a look may fail with.
LOOK_ERRORS: Final = (UserError, duckdb.Error, psycopg.Error, pymysql.MySQLError)


def open_for_build(output: dict[str, Any]) -> Warehouse | None:
    """Beside dbt; None where we have no reader for this kind. Raises where the warehouse cannot be reached."""
    match output["type"]:
        case "duckdb":
            open_file(output["path"], read_only=False).close()
            return DuckDB(cursor_of_dbt)
        case "postgres":
            return Postgres(output)
        case "mysql":
            return Mysql(output)
    return None


def open_for_preview(output: dict[str, Any]) -> Warehouse:
    """For a preview: nothing can be written through it."""
    match output["type"]:
        case "duckdb":
            return DuckDB(lambda: open_file(output["path"], read_only=True))
        case "postgres":
            return Postgres(output)
        case "mysql":
            return Mysql(output)
    raise UserError(
        "There is no preview for this kind of warehouse.", remedy="Compile it, or build it."
    )


def connection_problem(error: BaseException) -> UserError | None:
    """What dbt ran into, if it was the connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _UNREACHED):
            return TransientError(
                "The warehouse cannot be reached.", remedy="Check the warehouse connection."
            )
        if isinstance(cause, duckdb.IOException):
            return file_not_opened(str(cause))
        cause = cause.__cause__ or cause.__context__
    return None
