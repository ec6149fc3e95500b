"""The hub's types in a DuckDB file: nearly all are its own."""

from pipelines.engine.model import Landing
from pipelines.engine.types import hub


def land(kind: str) -> Landing:
    if kind == hub.NUMERIC:
        return Landing("VARCHAR", note="a decimal without bounds, kept as text")
    if kind.startswith("ENUM"):
        return Landing("VARCHAR", write="CAST({c} AS VARCHAR)")
    if kind.startswith("GEOMETRY") or kind in ("VARIANT", "NULL", '"NULL"'):
        return Landing("VARCHAR", write="CAST({c} AS VARCHAR)", note=f"{kind}, kept as text")
    return Landing(kind)


def hub_of(duckdb: str) -> str:
    return hub.canonical(duckdb)
