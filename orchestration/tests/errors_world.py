"""Where errors are provoked: an empty database of each server, and a directory."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymysql

from connections.connectors.base import Target
from connections.connectors.mysql_errors import explain as explain_mysql
from pipelines.engine.errors import translate, without_paths

Event = dict[str, Any]
WHAT = "Loading public.orders"


@dataclass
class World:
    postgres: str
    mariadb: str
    directory: Path
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def place(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def mysql(self, **changes: Any) -> Any:
        parts = urlsplit(self.mariadb)
        wanted: dict[str, Any] = {
            "host": parts.hostname,
            "port": parts.port,
            "user": parts.username,
            "password": parts.password or "",
            "database": parts.path.lstrip("/"),
            "autocommit": True,
            "sql_mode": "TRADITIONAL,ONLY_FULL_GROUP_BY",
            "connect_timeout": 5,
        }
        return pymysql.connect(**{**wanted, **changes})


@dataclass(frozen=True)
class Case:
    """One error: how it is provoked, and the explanation it must have."""

    name: str
    system: str
    how: str
    #: The key of its explanation; empty for one that nobody could explain.
    expects: str
    provoke: Callable[[World], Event]
    #: What the step does: ``pipeline`` or ``transform``.
    step: str = "pipeline"


class NothingHappened(AssertionError):
    """The system took what it was expected to refuse."""


@contextlib.contextmanager
def refused() -> Iterator[list[BaseException]]:
    """Collects the one error the block ends in."""
    found: list[BaseException] = []
    try:
        yield found
    except Exception as error:  # noqa: BLE001, every kind of error is what is wanted here
        found.append(error)
    if not found:
        raise NothingHappened("nothing was refused")


def as_load_error(error: BaseException) -> Event:
    # As a load shows it: nobody needs the directories of the machine.
    return without_paths(translate(error, WHAT), []).as_event()


def as_mysql_error(error: BaseException) -> Event:
    assert isinstance(error, pymysql.Error), repr(error)
    config = {"user": "loader", "database": "shop", "host": "db.example.com", "port": 3306}
    found = explain_mysql(error, Target("mysql", config, {"password": "tulip-47"}, Path("files")))
    # As a load raises it.
    found.__cause__ = error
    return found.as_event()


def in_postgres(*statements: str, tries: str = "") -> Callable[[World], Event]:
    """The error of the last statement; all in one transaction that is given up."""

    def provoke(world: World) -> Event:
        with psycopg.connect(tries or world.postgres) as connection:
            for statement in statements[:-1]:
                connection.execute(statement.encode())
            with refused() as found:
                connection.execute(statements[-1].encode()).fetchall()
            connection.rollback()
        return as_load_error(found[0])

    return provoke


def in_mariadb(*statements: str) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        with contextlib.closing(world.mysql()) as connection, connection.cursor() as cursor:
            for statement in statements[:-1]:
                cursor.execute(statement)
            with refused() as found:
                cursor.execute(statements[-1])
                cursor.fetchall()
            for table in ("t", "child", "parent"):
                cursor.execute(f"DROP TABLE IF EXISTS {table}")
            for view in ("v",):
                cursor.execute(f"DROP VIEW IF EXISTS {view}")
        return as_mysql_error(found[0])

    return provoke
