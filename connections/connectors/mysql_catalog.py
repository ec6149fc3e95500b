"""What stands in a MySQL or MariaDB server, and what this user may do there. Child side."""

import re
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

from common.errors import NotFound, UserError
from connections.connectors import catalog
from connections.connectors.base import CatalogPage, Column, StageStatus, Table, Target
from connections.connectors.checks import Outcome, counted
from connections.connectors.mysql_errors import number_of
from connections.connectors.sql import Dialect, quote_identifier, quote_table

if TYPE_CHECKING:
    import pymysql

    Connection: TypeAlias = pymysql.connections.Connection[Any]

_KINDS = {"VIEW": "view"}
_OLDEST = {"MySQL": (8, 0), "MariaDB": (10, 6)}
#: Either reaches the files of the server or every database in it.
_POWERS = ("FILE", "SUPER")
#: So many tables are tried for the right to read them; the catalogue shows those without it, too.
_TRIED = 50
#: Denied for the table, a column of it, or the database.
_DENIED = frozenset({1142, 1143, 1044, 1370})

# Only names and kinds: what is read from inside each table would open all of them. Bytes, because
# the page keys are compared in their order.
_TABLES = """
SELECT table_schema, table_name, table_type FROM information_schema.tables
WHERE table_schema IN %(schemas)s AND table_type <> 'SEQUENCE'
  AND (%(search)s = '' OR LOCATE(LOWER(%(search)s), LOWER(table_name)) > 0)
  AND (%(first)s OR CAST(table_schema AS BINARY) > CAST(%(after_schema)s AS BINARY)
    OR (CAST(table_schema AS BINARY) = CAST(%(after_schema)s AS BINARY)
      AND CAST(table_name AS BINARY) > CAST(%(after_name)s AS BINARY)))
ORDER BY CAST(table_schema AS BINARY), CAST(table_name AS BINARY) LIMIT %(limit)s
"""
_ROWS = """
SELECT table_name, table_rows FROM information_schema.tables
WHERE table_schema = %s AND table_name IN %s AND table_type <> 'VIEW'
"""
_TABLE = """
SELECT table_type, table_rows FROM information_schema.tables
WHERE table_schema = %s AND table_name = %s AND table_type <> 'SEQUENCE'
"""
_COLUMNS = """
SELECT column_name, column_type, is_nullable FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""
_PRIMARY_KEY = """
SELECT column_name FROM information_schema.statistics
WHERE table_schema = %s AND table_name = %s AND index_name = 'PRIMARY' ORDER BY seq_in_index
"""
_SCHEMAS = """
SELECT schema_name FROM information_schema.schemata
WHERE schema_name IN %s ORDER BY CAST(schema_name AS BINARY)
"""
_POWERS_HELD = """
SELECT privilege_type FROM information_schema.user_privileges
WHERE grantee = %s AND privilege_type IN %s ORDER BY privilege_type
"""


def discover(
    connection: "Connection", target: Target, *, search: str, schema: str, after: str, limit: int
) -> CatalogPage:
    """One page of the tables and views this user has any right to."""
    start = catalog.decode_key(after)
    schemas = schemas_of(target)
    if schema:
        schemas = [name for name in schemas if name == schema]
    found = rows_of(
        connection,
        _TABLES,
        {
            "schemas": schemas or [""],
            "search": search,
            "first": start is None,
            "after_schema": start[0] if start else "",
            "after_name": start[1] if start else "",
            "limit": limit + 1,
        },
    )
    estimates = _estimates(connection, found)
    tables = [
        Table(schema, name, _kind(kind), estimates.get((schema, name)))
        for schema, name, kind in found
    ]
    names = rows_of(connection, _SCHEMAS, (schemas_of(target),))
    return catalog.page_of(tables, limit, tuple(name for (name,) in names))


def describe(connection: "Connection", target: Target, *, schema: str, table: str) -> Table:
    """The table with its columns and primary key."""
    place = (schema or target.config["database"], table)
    found = rows_of(connection, _TABLE, place) if place[0] in schemas_of(target) else []
    if not found:
        raise NotFound(
            f'There is no table "{place[0]}.{table}".',
            field="table",
            remedy="Refresh the catalogue and choose again.",
        )
    kind, estimate = found[0]
    columns = rows_of(connection, _COLUMNS, place)
    if not columns:
        raise UserError(
            f'The columns of "{place[0]}.{table}" cannot be read.',
            field="table",
            remedy="Repair the view: it names a table or column that is gone, or its definer lacks "
            "a right.",
        )
    key = rows_of(connection, _PRIMARY_KEY, place)
    return Table(
        place[0],
        table,
        _kind(kind),
        None if kind == "VIEW" else estimate,
        tuple(Column(name, declared, nullable == "YES") for name, declared, nullable in columns),
        tuple(name for (name,) in key),
    )


def schemas_of(target: Target) -> list[str]:
    """The databases the connection is limited to: those listed, else the one it works in."""
    return [str(name) for name in target.config.get("schemas") or ()] or [
        str(target.config["database"])
    ]


def rows_of(connection: "Connection", statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    """The rows of a statement; without values a percent sign in it is only that."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def product_of(connection: "Connection") -> tuple[str, tuple[int, int]]:
    """``MySQL`` or ``MariaDB``, and its version."""
    driver: Any = connection
    text = str(driver.server_version)
    product = "MariaDB" if "mariadb" in text.lower() else "MySQL"
    # MariaDB may put "5.5.5-" in front, for clients of long ago.
    number = re.match(r"(\d+)\.(\d+)", text.removeprefix("5.5.5-"))
    return product, (int(number[1]), int(number[2])) if number else (0, 0)


def _estimates(
    connection: "Connection", found: list[tuple[Any, ...]]
) -> dict[tuple[str, str], int | None]:
    """The server's own row numbers of one page; literal names are looked up one by one."""
    by_schema: dict[str, list[str]] = {}
    for schema, name, _kind_of in found:
        by_schema.setdefault(schema, []).append(name)
    return {
        (schema, name): estimate
        for schema, names in by_schema.items()
        for name, estimate in rows_of(connection, _ROWS, (schema, names))
    }


def _kind(table_type: str) -> str:
    return _KINDS.get(table_type, "table")


# --- stages of the check -------------------------------------------------------------------------


def check_role(connection: "Connection", role: str) -> Outcome:
    """Signed in as whom, to what; what makes loads slow or a leak costly is a warning."""
    product, version = product_of(connection)
    ((account, local_infile),) = rows_of(connection, "SELECT CURRENT_USER(), @@global.local_infile")
    shown = ".".join(map(str, version))
    text = f'Signed in as "{account}", {product} {shown}.'
    if version < _OLDEST[product]:
        return Outcome(
            f"{text} Versions before {'.'.join(map(str, _OLDEST[product]))} are not tested.",
            StageStatus.WARN,
            remedy="Upgrade the server.",
        )
    if role in {"destination", "both"} and not local_infile:
        return Outcome(
            f"{text} LOAD DATA LOCAL is switched off: loading takes the slower way of INSERT.",
            StageStatus.WARN,
            remedy="Run: SET GLOBAL local_infile = 1; and set it in the server's configuration.",
        )
    if powers := _privileges(connection, account, _POWERS):
        return Outcome(
            f"{text} That user holds {' and '.join(powers)}.",
            StageStatus.WARN,
            remedy="Use a user with only the rights in the grant script.",
        )
    return Outcome(text)


def check_read(connection: "Connection", target: Target) -> Outcome:
    """Whether the databases are there, how many tables, and which of the first cannot be read."""
    wanted = schemas_of(target)
    there = {name.lower() for (name,) in rows_of(connection, _SCHEMAS, (wanted,))}
    if missing := [name for name in wanted if name.lower() not in there]:
        raise UserError(
            f"There is no database {', '.join(missing)}, or no right in it.",
            field="schemas" if target.config.get("schemas") else "database",
            remedy="Correct the list of databases, or grant SELECT on them.",
        )
    ((number,),) = rows_of(
        connection,
        "SELECT COUNT(*) FROM information_schema.tables "
        "WHERE table_schema IN %s AND table_type <> 'SEQUENCE'",
        (wanted,),
    )
    if not number:
        return Outcome(
            "There is no table to read.",
            StageStatus.WARN,
            remedy="Check the database, and that the user has SELECT on its tables.",
        )
    return _tried(connection, target, number)


def check_write(connection: "Connection", target: Target) -> Outcome:
    """Whether tables can be made and filled; asked of a table that is not there, so nothing is."""
    ((read_only,),) = rows_of(connection, "SELECT @@global.read_only")
    # MariaDB answers with a number, later versions with a word.
    if str(read_only).upper() not in {"0", "OFF"}:
        raise UserError(
            "The server is a read-only replica.", field="host", remedy="Connect to the primary."
        )
    database, user = str(target.config["database"]), target.config["user"]
    if denied := _denied(connection, database):
        rights = ", ".join(denied)
        raise UserError(
            f'User "{user}" lacks {rights} in database {database}.',
            field="user",
            remedy=f"Run: GRANT {rights} ON {_name(database)}.* TO '{user}'@'…';",
        )
    account = rows_of(connection, "SELECT CURRENT_USER()")[0][0]
    if _privileges(connection, account, ("CREATE",)):
        return Outcome("Databases and tables can be created.")
    return Outcome(f"Tables can be created in {database}.")


def _tried(connection: "Connection", target: Target, number: int) -> Outcome:
    page = discover(connection, target, search="", schema="", after="", limit=_TRIED)
    unreadable = [
        f"{table.schema}.{table.name}"
        for table in page.tables
        if not _is_readable(connection, table)
    ]
    tried = f", of which the first {_TRIED} were tried" if number > _TRIED else ""
    if unreadable:
        more = ", …" if len(unreadable) > 5 else ""
        names = ", ".join(unreadable[:5])
        return Outcome(
            f"{counted(number, 'table')}{tried}. {counted(len(unreadable), 'table')} cannot be "
            f"read: {names}{more}.",
            StageStatus.WARN,
            remedy="GRANT SELECT on them if they are wanted; a view may be broken.",
        )
    return Outcome(f"{counted(number, 'table')} can be read{tried}.")


def _is_readable(connection: "Connection", table: Table) -> bool:
    import pymysql

    try:
        rows_of(connection, f"SELECT 1 FROM {_name(table.schema, table.name)} LIMIT 0")
    except pymysql.Error as error:
        # Lost or stopped is no answer to this question.
        if number_of(error) in _DENIED or number_of(error) == 1356:
            return False
        raise
    return True


def _denied(connection: "Connection", database: str) -> list[str]:
    """The rights that are missing: the server looks at them before it looks for the table."""
    import pymysql

    nowhere = _name(database, f"_datanika_{uuid.uuid4().hex}")
    asked = {
        "SELECT": f"SELECT 1 FROM {nowhere}",
        "INSERT": f"INSERT INTO {nowhere} VALUES (1)",
        "UPDATE": f"UPDATE {nowhere} SET a = 1",
        "DELETE": f"DELETE FROM {nowhere}",
        # Never made: two columns of one name.
        "CREATE": f"CREATE TABLE {nowhere} (a INT, a INT)",
        "ALTER": f"ALTER TABLE {nowhere} ADD a INT",
        "DROP": f"DROP TABLE {nowhere}",
    }
    denied = []
    for right, statement in asked.items():
        try:
            rows_of(connection, statement)
        except pymysql.Error as error:
            if number_of(error) in _DENIED:
                denied.append(right)
    return denied


def _privileges(connection: "Connection", account: str, wanted: tuple[str, ...]) -> list[str]:
    """Which of the global privileges the account holds itself, roles aside."""
    user, _, host = account.rpartition("@")
    found = rows_of(connection, _POWERS_HELD, (f"'{user}'@'{host}'", wanted))
    return [name for (name,) in found]


def _name(*parts: str) -> str:
    if len(parts) == 1:
        return quote_identifier(parts[0], dialect=Dialect.MYSQL)
    return quote_table(parts[0], parts[1], dialect=Dialect.MYSQL)
