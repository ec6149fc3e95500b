"""DuckDB as a tool: opened without downloads, with extensions from installed wheels, and locked
down before strangers' data.

Child side only. ``duckdb`` is imported at the moment of use.
"""

import importlib
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import DatanikaError, TransientError, UserError
from connections.connectors.sql import quote_text

if TYPE_CHECKING:
    import duckdb

#: A check or a sample serves a person who is waiting.
STATEMENT_SECONDS = 5.0

#: Extension name → the package of its wheel (pip install duckdb-extension-…, same version as
#: duckdb).
_WHEELS = {
    "postgres_scanner": "duckdb_extension_postgres_scanner",
    "sqlite_scanner": "duckdb_extension_sqlite_scanner",
    "mysql_scanner": "duckdb_extension_mysql_scanner",
    "json": "duckdb_extension_json",
    "icu": "duckdb_extension_icu",
}
_ALIASES = {
    "postgres": "postgres_scanner",
    "sqlite": "sqlite_scanner",
    "mysql": "mysql_scanner",
}


#: A database in memory that a warm parent opened for the processes forked from it, and who that is.
_prepared: list[tuple[int, "duckdb.DuckDBPyConnection"]] = []


class ExtensionMissing(DatanikaError):
    """A DuckDB extension is not installed."""

    code = "extension_missing"


def connect_duckdb(
    path: str | Path = ":memory:",
    *,
    read_only: bool = False,
    memory_mb: int | None = None,
    threads: int | None = None,
    temp_dir: Path | None = None,
) -> "duckdb.DuckDBPyConnection":
    """Open a database file (or memory) with time zone UTC; nothing is ever downloaded or installed.

    ``path`` must come from ``connections.policy``. Raises ``duckdb.Error`` as DuckDB does.
    """
    import duckdb

    memory = str(path) == ":memory:"
    if memory and (inherited := _take_prepared()):
        _restrain(inherited, memory_mb, threads, temp_dir)
        return inherited
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        # A Python variable must never stand in for a table.
        "python_enable_replacements": "false",
    }
    if memory_mb:
        config["memory_limit"] = f"{memory_mb}MB"
    if threads:
        config["threads"] = str(threads)
    if temp_dir:
        config["temp_directory"] = str(temp_dir)
    con = duckdb.connect(str(path), read_only=read_only and not memory, config=config)
    load_extension(con, "icu")
    con.execute("SET TimeZone = 'UTC'")
    return con


def prepare_before_fork(extensions: Iterable[str]) -> None:
    """Open a database in memory and load extensions, for the first ``connect_duckdb()`` of each forked process.

    With one thread DuckDB starts none of its own, so nothing is lost in a fork; the forked process has its own copy.
    """
    con = connect_duckdb(threads=1)
    for name in extensions:
        load_extension(con, name)
    _prepared.append((os.getpid(), con))


def _take_prepared() -> "duckdb.DuckDBPyConnection | None":
    if not _prepared or _prepared[0][0] == os.getpid():
        return None
    return _prepared.pop()[1]


def _restrain(
    con: "duckdb.DuckDBPyConnection",
    memory_mb: int | None,
    threads: int | None,
    temp_dir: Path | None,
) -> None:
    settings = {
        "memory_limit": f"{memory_mb}MB" if memory_mb else None,
        "threads": threads or os.cpu_count(),
        "temp_directory": temp_dir,
    }
    for name, value in settings.items():
        if value:
            con.execute(f"SET {name} = {quote_text(str(value))}")


def load_extension(con: "duckdb.DuckDBPyConnection", name: str) -> None:
    """Load an extension (``postgres``, ``mysql``, ``sqlite``, ``json``, ``icu``) from its installed wheel,
    unless it is loaded.
    """
    full = _ALIASES.get(name, name)
    loaded = con.execute(
        "SELECT loaded FROM duckdb_extensions() WHERE extension_name = ?", [full]
    ).fetchone()
    if loaded and loaded[0]:
        return
    con.execute(f"LOAD {quote_text(str(_extension_file(full)))}")


def lockdown(con: "duckdb.DuckDBPyConnection", allowed_dirs: Iterable[Path] = ()) -> None:
    """No file, network or extension beyond ``allowed_dirs`` from here on, and no statement can undo
    it.

    Extensions, secrets and attached databases come before this call.
    """
    directories = ", ".join(quote_text(str(directory)) for directory in allowed_dirs)
    con.execute(f"SET allowed_directories = [{directories}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


@contextmanager
def time_limit(
    con: "duckdb.DuckDBPyConnection", seconds: float = STATEMENT_SECONDS
) -> Iterator[None]:
    """Interrupt what the connection does after that time, and raise ``TransientError``."""
    import duckdb

    timer = threading.Timer(seconds, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise TransientError(
            f"No answer within {seconds:.0f} seconds.",
            remedy="Choose fewer rows or columns, or a simpler view.",
        ) from error
    finally:
        timer.cancel()


def explain_duckdb(
    error: "duckdb.Error", what: str, *, remedy: str = "", field: str = ""
) -> UserError:
    """DuckDB's error as a sentence: ``what`` could not be done, and DuckDB's own first words."""
    # What follows the first empty line is advice for its own shell, or the statement.
    words = str(error).strip().partition("\n\n")[0]
    return UserError(what, field=field, remedy=remedy, detail=" ".join(words.split())[:500])


def _extension_file(name: str) -> Path:
    import duckdb

    package = _WHEELS.get(name)
    if package is None:
        raise ExtensionMissing(f'There is no DuckDB extension "{name}" that Datanika ships.')
    distribution = package.replace("_", "-")
    remedy = f"Install it: pip install {distribution}=={duckdb.__version__}"
    try:
        module = importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ExtensionMissing(
            f'The DuckDB extension "{name}" is not installed.', remedy=remedy
        ) from error
    folder = Path(str(module.__file__)).parent / "extensions" / f"v{duckdb.__version__}"
    file = folder / f"{name}.duckdb_extension"
    if not file.is_file():
        raise ExtensionMissing(
            f'The installed DuckDB extension "{name}" is not for DuckDB {duckdb.__version__}.',
            remedy=remedy,
        )
    return file
