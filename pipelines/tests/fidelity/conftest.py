"""The two ends of a route, on servers and in directories of one test."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipelines.tests.fidelity.ends import End
from pipelines.tests.fidelity.more_ends import MysqlEnd
from pipelines.tests.fidelity.routes import Route, local_end, server_end


@pytest.fixture
def route(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Route]:
    """Both ends of a route; servers are started when first asked for."""
    files = tmp_path / "files"
    files.mkdir(exist_ok=True)
    with ExitStack() as cleanup:

        def one(key: str, name: str) -> End:
            if key == "postgres":
                return server_end(key, request.getfixturevalue("postgres_url"))
            if key == "mysql":
                server = request.getfixturevalue("mariadb_server")
                end = server_end(key, server.url)
                assert isinstance(end, MysqlEnd)
                cleanup.callback(end.drop)
                # The database a connection names has to be there; that of the dataset is the engine's to make.
                end.run()
                # The connection works in a database that is there, at either end.
                end.run()
                return end
            return local_end(key, files, name)

        yield lambda source, destination: (one(source, "source"), one(destination, "warehouse"))
