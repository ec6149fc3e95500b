"""What a tenant's SQL may not reach: the environment, our credentials, Python, other files.

``apply`` patches the pinned dbt of this process, which lives for one call; ``read_only`` adds, for compile and preview,
that no statement of theirs can write. Each rule has its test in ``tests/test_engine_hardening.py``: an upgrade of
dbt has to pass them.
"""

import os
import secrets
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import dbt.cli.requires
import dbt.context.providers as providers
import duckdb
import psycopg2.extensions
from dbt.adapters.base.connections import BaseConnectionManager
from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.contracts.connection import Connection, Credentials
from dbt.adapters.duckdb.environments import Environment
from dbt.adapters.duckdb.environments.local import LocalEnvironment
from dbt.adapters.duckdb.impl import DuckDBAdapter
from dbt.adapters.mysql.connections import MySQLConnectionManager
from dbt.adapters.postgres.connections import PostgresConnectionManager
from dbt.config.profile import Profile
from dbt.config.project import Project
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import BaseNode
from dbt.plugins.manager import PluginManager
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.exceptions import DbtRuntimeError
from jinja2.sandbox import SandboxedEnvironment

from common.errors import DatanikaError
from transforms.engine import mysql_sessions
from transforms.engine.marks import remember_states

#: Harmless and needed by drivers; nothing else of the parent's environment stays in a dbt process.
KEPT_ENVIRONMENT: Final = ("TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")

#: What holds the warehouse's password or writes files: Jinja gets no attribute of it, and not the thing itself.
_CLOSED: Final = (
    BaseAdapter,
    BaseConnectionManager,
    Connection,
    Credentials,
    Manifest,
    Profile,
    Project,
    providers.BaseResolver,
)

#: dbt-duckdb forgets its connection at the end of a call without closing it.
_opened: Final[list[duckdb.DuckDBPyConnection]] = []

#: What Jinja asks the warehouse while a text compiles.
ASK_SECONDS: Final = 10

#: DuckDB opens the warehouse file and after that no other file, extension, address or setting.
DUCKDB_LOCKDOWN: Final[dict[str, Any]] = {
    "enable_external_access": False,
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # Without this, "select * from name" looks among the variables of the Python that runs it.
    "python_enable_replacements": False,
}


def apply(environment: Mapping[str, str], *, read_only: bool) -> None:
    """Close this process for tenants' code, before dbt is invoked.

    ``environment`` is what the warehouse's driver reads, ``read_only`` for compile and preview.
    """
    for name in [name for name in os.environ if name not in KEPT_ENVIRONMENT]:
        del os.environ[name]
    os.environ.update(environment)
    # What env_var() reads: empty, so that even the few names kept above are no answer.
    _patch(dbt.cli.requires, "get_env", _no_environment)
    # dbt imports every module it finds with a name like dbt_…; ours has no plugins.
    _patch(PluginManager, "get_prefixed_modules", _no_modules)
    _hide_objects()
    _refuse_python()
    _lock_duckdb(read_only=read_only)
    remember_states()
    if read_only:
        _patch(PostgresConnectionManager, "open", classmethod(_open_read_only))
        _patch(MySQLConnectionManager, "open", classmethod(_open_mysql_read_only))


def harden_profile(output: dict[str, Any]) -> dict[str, Any]:
    """The dbt output of a connector, reduced to what a locked warehouse needs."""
    if output.get("type") != "duckdb":
        return output
    # A list of what may stay: attachments, secrets, plugins, module paths and settings all reach outside.
    return {key: output[key] for key in ("type", "path", "schema", "threads") if key in output}


def open_duckdb(path: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """The warehouse file and nothing else: locked before any statement of a tenant runs."""
    connection = duckdb.connect(path, read_only=read_only, config=dict(DUCKDB_LOCKDOWN))
    row = connection.execute("select current_setting('lock_configuration')").fetchone()
    if row and row[0]:
        # A second handle on the file that this process holds open already, as locked as the first.
        return connection
    # The profile's own settings are dropped: dbt-duckdb would repeat them against the lock.
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute("set global lock_configuration = true")
    return connection


def close_duckdb() -> None:
    """Close what dbt opened, so that the file is written out and no log of changes stays beside it."""
    while _opened:
        _opened.pop().close()


def _no_environment() -> dict[str, str]:
    return {}


def _patch(owner: Any, name: str, value: Any) -> None:
    """Replace what is there; a name that an upgrade took away must not pass unnoticed."""
    if not hasattr(owner, name):
        raise DatanikaError(f"This version of dbt has no {owner.__name__}.{name} to close.")
    setattr(owner, name, value)


def _no_modules(*args: Any) -> dict[str, Any]:
    return {}


def _hide_objects() -> None:
    original = SandboxedEnvironment.is_safe_attribute

    def is_safe_attribute(self: Any, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, _CLOSED) or isinstance(value, _CLOSED):
            return False
        # Macros read a node's name and alias; one of its methods writes any text to any path.
        if isinstance(obj, BaseNode) and callable(value):
            return False
        return bool(original(self, obj, attr, value))

    _patch(MacroFuzzEnvironment, "is_safe_attribute", is_safe_attribute)


def _refuse_python() -> None:
    """Python models run in our process, and any macro with "materialization" in its name may start one."""
    for owner in (BaseAdapter, DuckDBAdapter):
        _patch(owner, "submit_python_job", _python_is_disabled)
    _patch(Environment, "run_python_job", _python_is_disabled)


def _lock_duckdb(*, read_only: bool) -> None:
    """dbt-duckdb opens the file through us: no profile and no model can add extensions, files or secrets."""

    def initialize_db(cls: Any, creds: Any, plugins: Any = None) -> duckdb.DuckDBPyConnection:
        _opened.append(open_duckdb(creds.path, read_only=read_only))
        return _opened[-1]

    _patch(Environment, "initialize_db", classmethod(initialize_db))
    # Both import a module whose name the model chooses.
    _patch(LocalEnvironment, "load_source", _plugins_are_disabled)
    _patch(LocalEnvironment, "store_relation", _plugins_are_disabled)


class _SelectOnly(psycopg2.extensions.cursor):
    """Runs SELECTs and nothing else, by the server's own judgement.

    Jinja may ask the warehouse while a text compiles (``run_query``). In a read-only transaction alone it could say
    COMMIT and go on; a cursor can be opened for exactly one SELECT.
    """

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002, psycopg2's name
        text = query if vars is None else self.mogrify(query, vars).decode()
        # dbt opens and closes transactions of its own; here each statement has one.
        if text in ("BEGIN", "COMMIT"):
            return
        self.connection.rollback()
        super().execute(
            f"set transaction read only; set local statement_timeout = {ASK_SECONDS}000"
        )
        outer, inner = f"$a{secrets.token_hex(16)}$", f"$b{secrets.token_hex(16)}$"
        super().execute(
            f"do {outer} declare answer refcursor := 'datanika_answer';"
            f" begin open answer for execute {inner}{text}{inner}; end {outer}"
        )
        super().execute("fetch all from datanika_answer")


_open_postgres: Final = vars(PostgresConnectionManager)["open"].__func__


def _open_read_only(cls: Any, connection: Any) -> Any:
    opened = _open_postgres(cls, connection)
    opened.handle.cursor_factory = _SelectOnly
    return opened


_open_mysql: Final = vars(MySQLConnectionManager)["open"].__func__


def _open_mysql_read_only(cls: Any, connection: Any) -> Any:
    opened = _open_mysql(cls, connection)
    mysql_sessions.read_only(opened.handle, ASK_SECONDS)
    return opened


def _python_is_disabled(*args: Any, **kwargs: Any) -> NoReturn:
    raise DbtRuntimeError("Python models are disabled here. Write the transformation in SQL.")


def _plugins_are_disabled(*args: Any, **kwargs: Any) -> NoReturn:
    raise DbtRuntimeError("External files and plugins are disabled here. Use a table instead.")
