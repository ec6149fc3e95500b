"""SQLite's file: what pruning freed goes back to the disk, in steps or at once."""

import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from datanika_site import env
from orchestration.retention import database

ROWS = 3_000


def make_connection(path: Path, init_command: str) -> Any:
    values = {**env.database(path.parent), "NAME": str(path)}
    values["OPTIONS"] = {**values["OPTIONS"], "init_command": init_command}
    handler = type(connections)({"default": {**connections["default"].settings_dict, **values}})
    return handler["default"]


def fill_and_empty(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE lines (id INTEGER PRIMARY KEY, text TEXT)")
        cursor.executemany("INSERT INTO lines (text) VALUES (%s)", [("x" * 900,)] * ROWS)
        cursor.execute("DELETE FROM lines WHERE id > 10")


@pytest.fixture
def fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> Iterator[tuple[Any, Path]]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    init = env.database(tmp_path)["OPTIONS"]["init_command"]
    with django_db_blocker.unblock():
        connection = make_connection(tmp_path / "fresh.sqlite3", init)
        monkeypatch.setattr(database, "connection", connection)
        yield connection, tmp_path / "fresh.sqlite3"
        connection.close()


def test_a_new_file_gives_free_pages_back_by_itself(fresh: tuple[Any, Path]) -> None:
    connection, path = fresh
    fill_and_empty(connection)
    database._checkpoint()
    before = path.stat().st_size
    given = database.give_back(5.0)
    assert given["freed_bytes"] > ROWS * 500
    assert given["checkpoint"] == "done"
    assert path.stat().st_size < before / 5
    assert path.with_name(path.name + "-wal").stat().st_size == 0
    with sqlite3.connect(path) as reader:
        assert reader.execute("SELECT count(*) FROM lines").fetchone() == (10,)
        # A reader in the way: the log stays for the next time, and nobody waits half a minute.
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM lines").fetchone()
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO lines (text) VALUES ('y')")
        assert database.give_back(5.0)["checkpoint"] == "later"
    reader.close()


def test_an_old_file_is_made_one_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    path = tmp_path / "old.sqlite3"
    with django_db_blocker.unblock():
        old = make_connection(path, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF")
        monkeypatch.setattr(database, "connection", old)
        fill_and_empty(old)
        assert database.give_back(5.0)["freed_bytes"] == 0
        before = path.stat().st_size
        assert list(database.vacuum()) == ["the database file"]
        assert path.stat().st_size < before / 5
        assert database._pragma("auto_vacuum") == database.INCREMENTAL
        old.close()


@pytest.mark.django_db(transaction=True)
def test_the_command_rewrites_and_gives_back() -> None:
    out = io.StringIO()
    call_command("prune", "--vacuum", stdout=out)
    assert "Rewriting" in out.getvalue()
