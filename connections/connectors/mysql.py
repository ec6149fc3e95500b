"""MySQL and MariaDB: source and destination."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from connections.connectors import mysql_catalog, mysql_connection
from connections.connectors.base import (
    Capabilities,
    CatalogPage,
    Category,
    Column,
    Connector,
    Help,
    Sample,
    Stage,
    Table,
    Target,
)
from connections.connectors.checks import Outcome, run_steps
from connections.connectors.fields import NamesField
from connections.connectors.mysql_errors import explain
from connections.connectors.mysql_fields import type_of
from connections.connectors.sampling import (
    of_query,
    query_as_table,
    refused_query,
    sample_table,
    with_types,
)
from connections.connectors.server_form import ServerForm
from connections.connectors.servers import CONNECT_SECONDS, Approach, Route
from connections.connectors.sql import Dialect, quote_table
from connections.connectors.texts import gettext_noop

if TYPE_CHECKING:
    import pymysql

STATEMENT_SECONDS = 5

GRANT_SCRIPT = """\
CREATE USER 'datanika'@'%' IDENTIFIED BY '…';
-- as a source, for each database
GRANT SELECT, SHOW VIEW ON shop.* TO 'datanika'@'%';
-- as a destination
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER,
  INDEX, DROP ON shop.* TO 'datanika'@'%';
-- for transformations, with the schema they are built in
GRANT ALL ON analytics.* TO 'datanika'@'%';"""


class MysqlForm(ServerForm):
    """Server, sign-in, encryption and tunnel."""

    default_port = 3306

    schemas = NamesField(
        label=_("Databases to read"),
        required=False,
        max_length=64,
        help_text=_("Names separated by commas. Leave empty for the database beside."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "shop, sales"}),
    )

    sections = (
        (gettext_noop("Server"), ("host", "port", "database", "schemas")),
        (gettext_noop("Sign-in"), ("user", "password")),
        ServerForm.encryption_section,
        ServerForm.tunnel_section,
    )


class MysqlConnector(Connector):
    """A MySQL or MariaDB server, or a service that speaks their protocol."""

    key = "mysql"
    label = "MySQL / MariaDB"
    category = Category.DATABASE
    description = gettext_noop("MySQL 8.0 or later, MariaDB 10.6 or later.")
    tile = "My"
    capabilities = Capabilities(
        source=True,
        destination=True,
        dbt=True,
        query=True,
        write_dispositions=frozenset({"append", "replace", "merge"}),
    )
    form_class = MysqlForm
    help = Help(
        title=gettext_noop("Rights"),
        text=gettext_noop(
            "Run this as an administrator, with your own names and a long random password."
        ),
        code=GRANT_SCRIPT,
    )

    def address(self, config: dict[str, Any]) -> str:
        host = str(config.get("host", ""))
        shown = f"[{host}]" if ":" in host else host
        return f"{shown}:{config.get('port', 3306)}/{config.get('database', '')}"

    def dbt_profile(self, target: Target, *, schema: str, threads: int) -> dict[str, Any]:
        """Our adapter dials a socket of this process, signed in already: it never sees the password."""
        return {
            "type": "mysql",
            "unix_socket": mysql_connection.relay_path(target),
            "host": "localhost",
            "user": "relay",
            "schema": schema,
            "threads": threads,
        }

    def check(self, target: Target, role: str) -> Iterator[Stage]:
        yield from _Check(target, role).run()

    def discover(
        self, target: Target, *, search: str, schema: str, after: str, limit: int
    ) -> CatalogPage:
        with _session(target) as connection:
            return mysql_catalog.discover(
                connection, target, search=search, schema=schema, after=after, limit=limit
            )

    def describe(self, target: Target, *, schema: str, table: str) -> Table:
        with _session(target) as connection:
            return mysql_catalog.describe(connection, target, schema=schema, table=table)

    def sample(
        self,
        target: Target,
        *,
        schema: str,
        table: str,
        columns: list[str] | None,
        filters: list[dict[str, Any]],
        limit: int,
    ) -> Sample:
        with _session(target) as connection:
            described = mysql_catalog.describe(connection, target, schema=schema, table=table)
            # A view may call a function that writes; describing one needs to open it first.
            connection.query("SET SESSION TRANSACTION READ ONLY")
            source = quote_table(described.schema, table, dialect=Dialect.MYSQL)
            return _sample(connection, target, source, described, columns, filters, limit)

    def describe_query(self, target: Target, query: str) -> Table:
        with _session(target) as connection:
            return _describe_query(connection, query)

    def sample_query(
        self,
        target: Target,
        query: str,
        *,
        columns: list[str] | None,
        filters: list[dict[str, Any]],
        limit: int,
    ) -> Sample:
        with _session(target) as connection:
            described = _describe_query(connection, query)
            source = of_query(query)
            found = _sample(connection, target, source, described, columns, filters, limit)
        return with_types(found, described)


def _sample(
    connection: "pymysql.connections.Connection[Any]",
    target: Target,
    source: str,
    described: Table,
    columns: list[str] | None,
    filters: list[dict[str, Any]],
    limit: int,
) -> Sample:
    # Values as the server writes them; whether bytes are a number is in the type.
    connection.decoders = {}
    found = sample_table(
        partial(_ask, connection, target),
        source=source,
        known=described.columns,
        columns=columns,
        filters=filters,
        limit=limit,
        dialect=Dialect.MYSQL,
    )
    types = {column.name: column.type for column in described.columns}
    texts = tuple(
        tuple(_text(value, types[name]) for value, name in zip(row, found.columns, strict=True))
        for row in found.rows
    )
    return replace(found, rows=texts)


def _describe_query(connection: "pymysql.connections.Connection[Any]", query: str) -> Table:
    """The columns of the answer; from here on the session only reads."""
    import pymysql

    connection.query("SET SESSION TRANSACTION READ ONLY")
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {of_query(query)} LIMIT 0")
            fields: Any = cursor._result
    except pymysql.err.ProgrammingError as error:
        raise refused_query("The server", str(error.args[-1])) from error
    return query_as_table([Column(field.name, type_of(field)) for field in fields.fields])


def _ask(
    connection: "pymysql.connections.Connection[Any]", target: Target, sql: str, seconds: float
) -> list[tuple[Any, ...]]:
    """The rows, or ``TransientError`` after that many seconds; the connection lives on."""
    import pymysql

    _limit_statements(connection, seconds)
    try:
        return mysql_catalog.rows_of(connection, sql)
    except pymysql.Error as error:
        raise explain(error, target) from error


@contextmanager
def _session(
    target: Target, route: Route | None = None
) -> "Iterator[pymysql.connections.Connection[Any]]":
    """A connection that gives up after five seconds; its errors are sentences."""
    import pymysql

    patience = STATEMENT_SECONDS + CONNECT_SECONDS
    with closing(
        mysql_connection.connect(target, route=route, read_seconds=patience)
    ) as connection:
        try:
            _limit_statements(connection, STATEMENT_SECONDS)
            yield connection
        except pymysql.Error as error:
            raise explain(error, target) from error


def _limit_statements(connection: "pymysql.connections.Connection[Any]", seconds: float) -> None:
    mariadb = mysql_catalog.product_of(connection)[0] == "MariaDB"
    connection.query(
        f"SET SESSION max_statement_time = {seconds:.3f}"
        if mariadb
        else f"SET SESSION max_execution_time = {int(seconds * 1000)}"
    )


def _text(value: Any, declared: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if declared.startswith("bit"):
        return str(int.from_bytes(value, "big"))
    return bytes(value).hex()


class _Check:
    """The stages of a check, with what one hands to the next."""

    def __init__(self, target: Target, role: str) -> None:
        self.target = target
        self.role = role
        self.approach = Approach(target)

    def run(self) -> Iterator[Stage]:
        steps = [*self.approach.steps(), ("tls", self.tls), ("sign in", self.sign_in)]
        if self.role in {"source", "both"}:
            steps.append(("read", self.read))
        if self.role in {"destination", "both"}:
            steps.append(("write", self.write))
        return run_steps(steps)

    def tls(self) -> Outcome:
        return mysql_connection.check_tls(self.target, self.approach.route)

    def sign_in(self) -> Outcome:
        with _session(self.target, self.approach.route) as connection:
            return mysql_catalog.check_role(connection, self.role)

    def read(self) -> Outcome:
        with _session(self.target, self.approach.route) as connection:
            return mysql_catalog.check_read(connection, self.target)

    def write(self) -> Outcome:
        with _session(self.target, self.approach.route) as connection:
            return mysql_catalog.check_write(connection, self.target)
