"""For the list of what a warm parent imports: dbt, loaded and used once, so that each fork starts with both done.

The first parse of a process builds dbt's schemas and decoders, half a second to a second of CPU. It opens no connection
and leaves no thread, which is what lets the process be forked afterwards.
"""

import tempfile
from pathlib import Path
from typing import Any, Final

from common.errors import DatanikaError
from connections.connectors.registry import all_connectors
from transforms.engine import invocation, locks, main
from transforms.engine.project import ProjectRows, TransformationRow

__all__ = ["main"]

#: No server and no file behind them: parsing asks neither.
_OUTPUTS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "duckdb", "path": "warm.duckdb", "schema": "main"},
    {
        "type": "postgres",
        "host": "localhost",
        "port": 5432,
        "user": "nobody",
        "password": "none",
        "dbname": "none",
        "schema": "public",
    },
    {"type": "mysql", "host": "localhost", "user": "nobody", "password": "none", "schema": "none"},
)


def warm() -> None:
    """Parse a project of one model for each kind of warehouse, twice: the second time from its own cache."""
    rows = ProjectRows("warm", (TransformationRow("one", "select 1 as one"),))
    locks.use_thread_locks()
    all_connectors()
    for output in _OUTPUTS:
        with tempfile.TemporaryDirectory() as directory:
            workspace = invocation.write_workspace(rows, dict(output), Path(directory), None)
            for _ in range(2):
                # dbt's static parser starts threads of its own, which a fork would lose.
                result = workspace.invoke("parse", "--no-write-json", "--no-static-parser")
                if result.exception is not None:
                    raise DatanikaError("dbt does not work here.", detail=str(result.exception))


warm()
