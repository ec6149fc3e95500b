"""What is done with single columns on their way: another name, a hash, a mask."""

from typing import Any

from pipelines.definition.values import choice, known, text
from pipelines.errors import InvalidPipeline
from pipelines.models import Transform

COLUMN_KEYS = ("rename", "transform")
_LONGEST_NAME = 63


def parse_column_settings(value: Any, where: str) -> dict[str, dict[str, str]]:
    """By source column; a column with nothing set is left out."""
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise InvalidPipeline(
            "The settings of columns are a mapping.",
            field=where,
            remedy="Write the column's name, and below it rename or transform.",
        )
    read = {str(name): _settings(str(name), item, where) for name, item in value.items()}
    return {name: settings for name, settings in read.items() if settings}


def _settings(name: str, value: Any, where: str) -> dict[str, str]:
    path = f"{where}.{name}"
    if not name.strip():
        raise InvalidPipeline("The name of a column is needed.", field=where)
    given = known({} if value is None else value, COLUMN_KEYS, path, f"The column {name!r}")
    found: dict[str, str] = {}
    if rename := text(given, "rename", path, 255):
        found["rename"] = _name(rename, f"{path}.rename")
    if given.get("transform") not in (None, ""):
        found["transform"] = str(choice(Transform, given, "transform", path))
    return found


def _name(name: str, where: str) -> str:
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidPipeline(
            f"{name[:_LONGEST_NAME]!r} cannot be the name of a column.",
            field=where,
            remedy=f"Use at most {_LONGEST_NAME} printable characters.",
        )
    if name.lower().startswith("_dlt_"):
        raise InvalidPipeline(
            f"{name!r} is kept for the columns Datanika adds.",
            field=where,
            remedy="Choose a name that does not begin with _dlt_.",
        )
    return name
