"""The fixtures every other test stands on: private, empty, and nothing leaves the machine."""

from __future__ import annotations

import socket

import psycopg
import pytest
import redis

from conftest import NetworkBlocked
from scripts import services


def test_each_database_is_fresh_and_asks_for_its_password(
    postgres_server: services.Server, postgres_url: str
) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(
            "select count(*) from information_schema.tables where table_schema = 'public'"
        ).fetchone()
        assert tables == (0,)
        assert connection.execute("show fsync").fetchone() == ("off",)
    wrong = postgres_url.replace(postgres_server.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_redis_is_empty_and_asks_for_its_password(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", "value")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(redis_url.replace("redis://:", "redis://:wrong")).ping()


def test_other_machines_cannot_be_reached() -> None:
    with socket.socket() as outside, pytest.raises(NetworkBlocked, match=r"192\.0\.2\.1"):
        outside.connect(("192.0.2.1", 80))
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.com", 443)
