"""Short ways to a MySQL endpoint, for the tests of several."""

from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from connections.connectors import mysql_connection
from connections.connectors.base import Stage, Target
from connections.connectors.duckdb_support import connect_duckdb
from connections.connectors.mysql import MysqlConnector

CONNECTOR = MysqlConnector()


def target_of(url: str, tmp_path: Path, **changes: Any) -> Target:
    """The endpoint of a URL, with some of its settings changed, secrets among them."""
    parts = urlsplit(url)
    values: dict[str, Any] = {
        "host": parts.hostname,
        "port": parts.port,
        "database": parts.path.lstrip("/"),
        "user": parts.username,
        "password": unquote(parts.password or ""),
        **changes,
    }
    form = CONNECTOR.form_class(data={k: v for k, v in values.items() if v is not False})
    assert form.is_valid(), form.errors
    config = {k: v for k, v in form.cleaned_data.items() if k not in form.secret_fields}
    secrets = {k: form.cleaned_data[k] for k in form.secret_fields if form.cleaned_data[k]}
    return Target("mysql", config, secrets, tmp_path, private_dir=tmp_path)


def stages(target: Target, role: str = "source") -> list[Stage]:
    return list(CONNECTOR.check(target, role))


def run(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements as the administrator; the rows of the last one."""
    parts = urlsplit(url)
    options: dict[str, Any] = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        "password": parts.password,
        "database": parts.path.lstrip("/") or None,
        "autocommit": True,
    }
    with closing(pymysql.connect(**options)) as con, con.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def count_in_child(spec: dict[str, Any], emit: Any) -> None:
    """A child's entry point: count the rows of shop.t with DuckDB."""
    target = Target.from_spec(spec)
    with connect_duckdb() as con:
        mysql_connection.duckdb_attach(target, con, "my", read_only=True)
        emit({"event": "data", "value": con.execute("SELECT COUNT(*) FROM my.shop.t").fetchall()})
