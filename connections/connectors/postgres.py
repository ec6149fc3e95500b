"""PostgreSQL: source, destination and dbt warehouse."""

import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from connections.connectors import postgres_catalog, postgres_connection
from connections.connectors.base import (
    Capabilities,
    CatalogPage,
    Category,
    Connector,
    ConnectorForm,
    Help,
    Sample,
    Stage,
    Table,
    Target,
)
from connections.connectors.checks import Outcome, run_steps
from connections.connectors.fields import HostField, NamesField, OptionField, SecretField
from connections.connectors.postgres_errors import explain
from connections.connectors.sql import (
    Dialect,
    quote_identifier,
    quote_table,
    select_columns,
    where,
)
from connections.connectors.texts import gettext_noop

if TYPE_CHECKING:
    import psycopg

STATEMENT_MS = 5000
#: Counting what a filter keeps reads the whole table: only where that takes well under a second.
_COUNT_BYTES = 64 * 1024 * 1024

GRANT_SCRIPT = """\
CREATE ROLE datanika LOGIN PASSWORD '…';
GRANT CONNECT ON DATABASE shop TO datanika;
-- as a source, for each schema
GRANT USAGE ON SCHEMA public TO datanika;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO datanika;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO datanika;
-- as a destination
GRANT CREATE ON DATABASE shop TO datanika;"""


class PostgresForm(ConnectorForm):
    """Server, sign-in and encryption."""

    host = HostField()
    port = forms.IntegerField(
        label=_("Port"),
        min_value=1,
        max_value=65535,
        initial=5432,
        required=False,
        widget=forms.NumberInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )
    database = forms.CharField(
        label=_("Database"),
        max_length=63,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    schemas = NamesField(
        label=_("Schemas"),
        required=False,
        max_length=63,
        help_text=_("Names separated by commas. Leave empty for every schema the user may read."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "public, sales"}),
    )
    user = forms.CharField(
        label=_("User"),
        max_length=63,
        help_text=_("A user of its own with only the rights in the grant script."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    password = SecretField(
        label=_("Password"),
        required=False,
        max_length=1000,
        help_text=_(
            "Stored encrypted and never shown again. Empty where the server asks for none."
        ),
    )
    sslmode = OptionField(
        label=_("Encryption"),
        initial="prefer",
        choices=[
            ("prefer", _("TLS where the server offers it")),
            ("verify-full", _("TLS, certificate and host name verified")),
            ("require", _("TLS, certificate not verified")),
            ("disable", _("No TLS")),
        ],
        help_text=_("Across a network that is not your own, choose the verified mode."),
    )
    ca_certificate = forms.CharField(
        label=_("Certificate of the authority"),
        required=False,
        max_length=100_000,
        help_text=_(
            "PEM text, for the verified mode only. Empty: the authorities this machine trusts."
        ),
        widget=forms.Textarea(
            attrs={
                "rows": 4,
                "autocomplete": "off",
                "spellcheck": "false",
                "placeholder": "-----BEGIN CERTIFICATE-----",
            }
        ),
    )

    secret_fields = frozenset({"password"})
    sections = (
        (gettext_noop("Server"), ("host", "port", "database", "schemas")),
        (gettext_noop("Sign-in"), ("user", "password")),
        (gettext_noop("Encryption"), ("sslmode", "ca_certificate")),
    )
    spans = {
        "host": "f-4",
        "port": "f-2",
        "database": "f-3",
        "schemas": "f-3",
        "user": "f-3",
        "password": "f-3",
        "sslmode": "f-6",
        "ca_certificate": "f-6",
    }

    def clean_port(self) -> int:
        return self.cleaned_data["port"] or 5432

    def clean_ca_certificate(self) -> str:
        text: str = self.cleaned_data["ca_certificate"]
        if not text:
            return ""
        if self.cleaned_data.get("sslmode") != "verify-full":
            raise ValidationError(
                _("Only the verified mode uses a certificate. Choose it, or leave this empty.")
            )
        try:
            ssl.create_default_context(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            raise ValidationError(
                _("This is no PEM certificate. Paste it with its BEGIN and END lines.")
            ) from error
        return text


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
        config = target.config
        profile: dict[str, Any] = {
            "type": "postgres",
            "host": config["host"],
            "port": int(config["port"]),
            "dbname": config["database"],
            "user": config["user"],
            "password": target.secrets.get("password", ""),
            "schema": schema,
            "threads": threads,
            "sslmode": config.get("sslmode") or "prefer",
            "connect_timeout": postgres_connection.CONNECT_SECONDS,
            "application_name": postgres_connection.APPLICATION_NAME,
        }
        if profile["sslmode"] == "verify-full":
            profile["sslrootcert"] = str(postgres_connection.ca_file(target))
        return profile

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
            described, size = postgres_catalog.describe(
                connection, target, schema=schema, table=table
            )
            shown = select_columns(columns, described.columns)
            # Literals instead of parameters: an untyped literal compares with any type (uuid, enum,
            # inet).
            condition = where(filters, described.columns, Dialect.POSTGRES, inline=True)
            source = f"FROM {quote_table(schema, table)}"
            texts = ", ".join(f"{quote_identifier(column.name)}::text" for column in shown)
            rows = connection.execute(
                f"SELECT {texts} {source}{condition.clause} LIMIT {int(limit)}"
            ).fetchall()
            kept = total = None
            if filters and size is not None and size <= _COUNT_BYTES:
                counts = connection.execute(
                    f"SELECT count(*) FILTER (WHERE {condition.condition}), count(*) {source}"
                ).fetchone()
                kept, total = counts or (None, None)
        return Sample(tuple(column.name for column in shown), tuple(rows), kept, total)


@contextmanager
def _session(target: Target, address: str = "") -> "Iterator[psycopg.Connection[Any]]":
    """A read-only connection that gives up after five seconds; its errors are sentences."""
    import psycopg

    with closing(postgres_connection.connect(target, address=address)) as connection:
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
        self.addresses: list[str] = []
        self.address = ""

    def run(self) -> Iterator[Stage]:
        steps = [
            ("resolve", self.resolve),
            ("connect", self.connect),
            ("tls", self.tls),
            ("sign in", self.sign_in),
        ]
        if self.role in {"source", "both"}:
            steps.append(("read", self.read))
        if self.role in {"destination", "both"}:
            steps.append(("write", self.write))
        return run_steps(steps)

    def resolve(self) -> Outcome:
        self.addresses = postgres_connection.resolve(self.target)
        host = self.target.config["host"]
        return Outcome(f"{host} is at {', '.join(self.addresses)}.")

    def connect(self) -> Outcome:
        self.address = postgres_connection.dial(self.target, self.addresses)
        return Outcome(f"{self.address} answers on port {self.target.config['port']}.")

    def tls(self) -> Outcome:
        return postgres_connection.check_tls(self.target, self.address)

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
        return _session(self.target, self.address)
