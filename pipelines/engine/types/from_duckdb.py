"""What DuckDB reads itself (files, SQLite, DuckDB): its types are the hub's."""

from pipelines.engine.model import Mapping
from pipelines.engine.types import hub


def to_hub(kind: str) -> Mapping:
    name = hub.canonical(kind)
    if name == "BLOB":
        return Mapping(name, raw="hex({c})", parse="TRY(unhex({c}))")
    if hub.is_nested(name):
        return Mapping(
            name,
            raw="CAST(to_json({c}) AS VARCHAR)",
            parse=f"TRY_CAST(TRY_CAST({{c}} AS JSON) AS {name})",
        )
    return Mapping(name)
