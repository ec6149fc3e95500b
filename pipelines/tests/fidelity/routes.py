"""The routes there are, read from the capabilities of the connectors: a new one is tried without a word here."""

import uuid
from collections.abc import Callable
from pathlib import Path

from connections.connectors.registry import all_connectors
from pipelines.tests.fidelity.ends import DuckDbEnd, End, PostgresEnd, SqliteEnd
from pipelines.tests.fidelity.more_ends import MysqlEnd, ParquetEnd

#: Makes both ends of a route: ``route("postgres", "duckdb")``.
Route = Callable[[str, str], tuple[End, End]]

KNOWN = ("postgres", "mysql", "duckdb", "sqlite", "parquet")
FILES = ("csv", "json", "jsonl", "parquet")


def sources() -> list[str]:
    """Keys of the connectors that can be read from."""
    found = all_connectors()
    return [
        key
        for key in dict.fromkeys((*KNOWN, *FILES))
        if key in found and found[key].capabilities.source
    ]


def destinations(disposition: str = "replace") -> list[str]:
    """Keys of the connectors that can be loaded into in that way."""
    found = all_connectors()
    return [
        key
        for key in KNOWN
        if key in found
        and found[key].capabilities.destination
        and disposition in found[key].capabilities.write_dispositions
    ]


def local_end(key: str, files: Path, name: str) -> End:
    """An end that is a file or a directory of files."""
    if key == "duckdb":
        return DuckDbEnd(files, f"{name}.duckdb")
    if key == "sqlite":
        return SqliteEnd(files, f"{name}.sqlite")
    return ParquetEnd(files, name)


def server_end(key: str, url: str) -> End:
    """An end on a server, with names of its own where its server is shared."""
    if key == "postgres":
        return PostgresEnd(url)
    mark = uuid.uuid4().hex[:10]
    return MysqlEnd(url, f"shop_{mark}", f"raw_{mark}")
