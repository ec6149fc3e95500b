"""What the engine is measured against where DuckDB is the reference. Runs in the same kind of warm child."""

from collections.abc import Callable
from typing import Any

from bench import duck


def run(spec: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> None:
    """Carry out ``spec["statements"]`` in one session with ``spec["extensions"]``, DuckDB's defaults otherwise."""
    with duck.connect() as connection:
        duck.load(connection, spec["extensions"])
        # The order of rows in a table means nothing, and keeping it costs memory and time.
        connection.execute("SET preserve_insertion_order = false")
        for statement in spec["statements"]:
            connection.execute(statement)
    emit({"event": "done", "summary": {}})
