"""A step that is tried again ends what the lost attempt left on the server, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connections.connectors import servers
from connections.connectors.attempts import take_over
from datanika_site.demo.data import postgres_values


@pytest.fixture(autouse=True)
def _named_as_before() -> Iterator[None]:
    yield
    servers._session["name"] = servers.APPLICATION_NAME


def _spec(url: str, tmp_path: Path, **more: Any) -> dict[str, Any]:
    values = postgres_values(url)
    secrets = {"password": str(values.pop("password"))}
    endpoint = {"connector": "postgres", "config": values, "secrets": secrets}
    return {"files_root": str(tmp_path), "endpoint": endpoint, **more}


def _alive(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def test_the_next_attempt_ends_the_sessions_of_the_lost_one(
    postgres_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(postgres_url, application_name="datanika 17.4") as lost:
        lost.execute("CREATE TABLE held (id int)")
        with psycopg.connect(postgres_url, application_name="datanika 17.5") as other:
            take_over(_spec(postgres_url, tmp_path, load_id="17.4", attempt=1), "endpoint")
            assert _alive(lost)
            take_over(_spec(postgres_url, tmp_path, load_id="17.4", attempt=2), "endpoint")
            assert not _alive(lost)
            assert _alive(other)
    # The lock is gone with it.
    with psycopg.connect(postgres_url, options="-c lock_timeout=2s") as mine:
        mine.execute("CREATE TABLE held (id int)")


def test_a_server_that_is_away_is_left_to_the_work_itself(tmp_path: Path) -> None:
    spec = _spec("postgresql://x:y@127.0.0.1:1/x", tmp_path, load_id="17.4", attempt=2)
    take_over(spec, "endpoint")
    assert servers.session_name() == "datanika 17.4"
