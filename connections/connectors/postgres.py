"""PostgreSQL: source, destination and dbt warehouse."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from connections.connectors import postgres_catalog, postgres_connection, servers, ssh_tunnel
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
from connections.connectors.postgres_errors import explain, words_of
from connections.connectors.sampling import (
    of_query,
    query_as_table,
    refused_query,
    sample_table,
    with_types,
)
from connections.connectors.server_form import ServerForm
from connections.connectors.servers import Approach, Route
from connections.connectors.sql import Dialect, quote_table
from connections.connectors.texts import gettext_noop

if TYPE_CHECKING:
    import psycopg

STATEMENT_MS = 5000
_TYPE_NAMES = """
SELECT format_type(oid, NULL) FROM unnest(%s::oid[]) WITH ORDINALITY AS t(oid, at) ORDER BY at
"""

GRANT_SCRIPT = """\
CREATE ROLE datanika LOGIN PASSWORD '…';
GRANT CONNECT ON DATABASE shop TO datanika;
-- as a source, for each schema
GRANT USAGE ON SCHEMA public TO datanika;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO datanika;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO datanika;
-- as a destination
GRANT CREATE ON DATABASE shop TO datanika;"""


class PostgresForm(ServerForm):
    """Server, sign-in, encryption and tunnel."""

    default_port = 5432

    schemas = NamesField(
        label=_("Schemas"),
        required=False,
        max_length=63,
        help_text=_("Names separated by commas. Leave empty for every schema the user may read."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "public, sales"}),
    )

    sections = (
        (gettext_noop("Server"), ("host", "port", "database", "schemas")),
        (gettext_noop("Sign-in"), ("user", "password")),
        ServerForm.encryption_section,
        ServerForm.tunnel_section,
    )


class PostgresConnector(Connector):
    """A PostgreSQL database, or a service that speaks its protocol."""

    key = "postgres"
    label = "PostgreSQL"
    category = Category.DATABASE
    description = gettext_noop("Version 12 or later, also where a provider runs it for you.")
    tile = "Pg"
    capabilities = Capabilities(
        source=True,
        destination=True,
        dbt=True,
        query=True,
        write_dispositions=frozenset({"append", "replace", "merge"}),
    )
    form_class = PostgresForm
    help = Help(
        title=gettext_noop("Rights"),
        text=gettext_noop(
            "Run this as the database's owner, with your own names and a long random password."
        ),
        code=GRANT_SCRIPT,
    )

    def address(self, config: dict[str, Any]) -> str:
        host = str(config.get("host", ""))
        shown = f"[{host}]" if ":" in host else host
        return f"{shown}:{config.get('port', 5432)}/{config.get('database', '')}"

    def conninfo(self, target: Target, **extra: str) -> str:
        """A libpq connection string for psycopg, with the judged address, UTC and ISO dates.

        ``extra`` parameters come last and win. Signs in once per process to learn which options the
        server takes. Raises ``UserError`` where the server is refused by policy, cannot be reached
        or does not let this user in.
        """
        from psycopg.conninfo import make_conninfo

        return make_conninfo("", **{**postgres_connection.parameters(target), **extra})

    def libpq_string(self, target: Target) -> str:
        """The same string for DuckDB's ``ATTACH '…' (TYPE postgres)``. Quote it as an SQL literal
        there.
        """
        return self.conninfo(target)

    def driver_environment(self, target: Target) -> dict[str, str]:
        """dbt-postgres passes no ``hostaddr``: libpq takes it and the options from here."""
        values = postgres_connection.parameters(target)
        environment = {"PGHOSTADDR": values["hostaddr"], "PGGSSENCMODE": "disable"}
        if "options" in values:
            environment["PGOPTIONS"] = values["options"]
        return environment | {"PGPASSFILE": values["passfile"]}

    def dbt_profile(self, target: Target, *, schema: str, threads: int) -> dict[str, Any]:
        config, tunnelled = target.config, ssh_tunnel.wanted(target)
        profile: dict[str, Any] = {
            "type": "postgres",
            "host": config["host"],
            "port": ssh_tunnel.tunnel_to(target).port if tunnelled else int(config["port"]),
            "dbname": config["database"],
            "user": config["user"],
            "password": target.secrets.get("password", ""),
            "schema": schema,
            "threads": threads,
            "sslmode": config.get("sslmode") or "prefer",
            "connect_timeout": servers.CONNECT_SECONDS,
            "application_name": servers.session_name(),
            "keepalives_idle": 15,
        }
        if profile["sslmode"] == "verify-full":
            profile["sslrootcert"] = str(servers.ca_file(target))
        return profile

    def end_lost_sessions(self, target: Target) -> None:
        postgres_connection.end_lost_sessions(target)

    def check(self, target: Target, role: str) -> Iterator[Stage]:
        yield from _Check(target, role).run()

    def discover(
        self, target: Target, *, search: str, schema: str, after: str, limit: int
    ) -> CatalogPage:
        with _session(target) as connection:
            return postgres_catalog.discover(
                connection, target, search=search, schema=schema, after=after, limit=limit
            )

    def describe(self, target: Target, *, schema: str, table: str) -> Table:
        with _session(target) as connection:
            return postgres_catalog.describe(connection, target, schema=schema, table=table)[0]

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
            found = sample_table(
                partial(_ask_read_only, connection, target),
                source=of_query(query),
                known=described.columns,
                columns=columns,
                filters=filters,
                limit=limit,
                dialect=Dialect.POSTGRES,
                text="{}::text",
            )
        return with_types(found, described)

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
            described, _size = postgres_catalog.describe(
                connection, target, schema=schema, table=table
            )
            return sample_table(
                partial(_ask, connection, target),
                source=quote_table(schema, table),
                known=described.columns,
                columns=columns,
                filters=filters,
                limit=limit,
                dialect=Dialect.POSTGRES,
                text="{}::text",
            )


def _ask(
    connection: "psycopg.Connection[Any]", target: Target, sql: str, seconds: float
) -> list[tuple[Any, ...]]:
    """The rows, or ``TransientError`` after that many seconds; the connection lives on."""
    import psycopg

    connection.execute(f"SET statement_timeout = {int(seconds * 1000)}")
    try:
        return connection.execute(sql.encode()).fetchall()
    except psycopg.errors.QueryCanceled as error:
        raise explain(error, target) from error
    finally:
        connection.execute(f"SET statement_timeout = {STATEMENT_MS}")


def _ask_read_only(
    connection: "psycopg.Connection[Any]", target: Target, sql: str, seconds: float
) -> list[tuple[Any, ...]]:
    """A session's default can be set by a function that the statement calls; a transaction's cannot."""
    import psycopg

    with connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
        try:
            # Prepared, a statement is one statement.
            return connection.execute(sql.encode(), prepare=True).fetchall()
        except psycopg.DataError as error:
            raise refused_query("PostgreSQL", words_of(error)) from error
        except psycopg.errors.QueryCanceled as error:
            raise explain(error, target) from error


def _describe_query(connection: "psycopg.Connection[Any]", query: str) -> Table:
    import psycopg

    before = "SELECT * FROM "
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION READ ONLY")
            described = connection.execute(
                f"{before}{of_query(query)} LIMIT 0".encode()
            ).description
    except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError) as error:
        words = words_of(error, query, len(before) + 1)
        raise refused_query("PostgreSQL", words) from error
    kinds = connection.execute(_TYPE_NAMES, [[one.type_code for one in described or ()]]).fetchall()
    return query_as_table(
        [Column(one.name, kind) for one, (kind,) in zip(described or (), kinds, strict=True)]
    )


@contextmanager
def _session(target: Target, route: Route | None = None) -> "Iterator[psycopg.Connection[Any]]":
    """A read-only connection that gives up after five seconds; its errors are sentences."""
    import psycopg

    with closing(postgres_connection.connect(target, route=route)) as connection:
        try:
            connection.execute(f"SET statement_timeout = {STATEMENT_MS}")
            connection.execute("SET default_transaction_read_only = on")
            yield connection
        except psycopg.Error as error:
            raise explain(error, target) from error


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
        return postgres_connection.check_tls(self.target, self.approach.route)

    def sign_in(self) -> Outcome:
        with self._session() as connection:
            return postgres_catalog.check_role(connection)

    def read(self) -> Outcome:
        with self._session() as connection:
            return postgres_catalog.check_read(connection, self.target)

    def write(self) -> Outcome:
        with self._session() as connection:
            return postgres_catalog.check_write(connection, self.target)

    def _session(self) -> "AbstractContextManager[psycopg.Connection[Any]]":
        return _session(self.target, self.approach.route)
