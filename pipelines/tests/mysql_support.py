"""Help for tests with a MariaDB or MySQL at one end."""

from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pymysql


def mysql_endpoint(url: str, **config: Any) -> dict[str, Any]:
    parts = urlsplit(url)
    found = {
        "host": parts.hostname,
        "port": parts.port,
        "database": parts.path.lstrip("/"),
        "user": parts.username,
        "sslmode": "disable",
    }
    return {
        "connector": "mysql",
        "config": {**found, **config},
        "secrets": {"password": parts.password},
    }


def my(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run the statements; the rows of the last one."""
    parts = urlsplit(url)
    with (
        closing(
            pymysql.connect(
                host=parts.hostname,
                port=parts.port or 3306,
                user=parts.username,
                password=parts.password or "",
                database=parts.path.lstrip("/"),
                charset="utf8mb4",
                autocommit=True,
                init_command="SET time_zone = '+00:00', sql_mode = ''",
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())
