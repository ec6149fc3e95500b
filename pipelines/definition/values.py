"""Reads the values of a definition's JSON; each reader refuses with the path of the key at fault."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, TypeVar

from django.db.models import TextChoices

from pipelines.errors import InvalidPipeline
from pipelines.models import SchemaChange

C = TypeVar("C", bound=TextChoices)

#: Names we create in the destination: safe unquoted everywhere.
IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
_TAG = re.compile(r"[\w.:/-]+")
CONTRACT_KEYS = ("tables", "columns", "data_type")


def at(where: str, key: str) -> str:
    """The path of ``key`` below ``where``, which is empty for the pipeline itself."""
    return f"{where}.{key}".lstrip(".")


def known(data: Any, keys: Iterable[str], where: str, what: str) -> dict[str, Any]:
    """The mapping itself; anything else, and any key that is not ours, is refused."""
    if not isinstance(data, dict):
        raise InvalidPipeline(
            f"{what} is a mapping of settings.", field=where, remedy="Write names and values."
        )
    if unknown := {str(key) for key in data} - set(keys):
        name = min(unknown)
        raise InvalidPipeline(
            f"{what} has no setting {name!r}.",
            field=at(where, name),
            remedy=f"It has: {', '.join(keys)}.",
        )
    return data


def text(data: dict[str, Any], key: str, where: str, longest: int) -> str:
    """A text or number as stripped text; None and absent are empty."""
    value = data.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidPipeline(f"A text is needed for {key}.", field=at(where, key))
    found = str(value).strip()
    if len(found) > longest:
        raise InvalidPipeline(f"{key} is longer than {longest} characters.", field=at(where, key))
    return found


def flag(data: dict[str, Any], key: str, where: str, *, default: bool) -> bool:
    value = data.get(key, default)
    if not isinstance(value, bool):
        raise InvalidPipeline(
            f"{key} is true or false.", field=at(where, key), remedy="Use true or false."
        )
    return value


def items(data: dict[str, Any], key: str, where: str, what: str) -> list[Any]:
    """A list; None and absent are empty."""
    value = data.get(key) or []
    if not isinstance(value, list | tuple):
        raise InvalidPipeline(f"A list of {what} is needed.", field=at(where, key))
    return list(value)


def choice(
    kind: type[C], data: dict[str, Any], key: str, where: str, default: C | None = None
) -> C:
    """A member of ``kind``; None and empty are the default where there is one."""
    value = data.get(key)
    if value in (None, "") and default is not None:
        return default
    try:
        # Enum's own call, which takes whatever JSON holds and refuses what is no member.
        return kind(value)  # type: ignore[arg-type]
    except ValueError:
        raise InvalidPipeline(
            f"{value!r} is not a choice here.",
            field=at(where, key),
            remedy=f"Use {', '.join(kind.values)}.",
        ) from None


def names(
    data: dict[str, Any], key: str, where: str, what: str = "column names"
) -> tuple[str, ...]:
    """A list of texts, or one text with commas. One written twice counts once."""
    value = data.get(key)
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise InvalidPipeline(f"A list of {what} is needed.", field=at(where, key))
    found = tuple(dict.fromkeys(item.strip() for item in value if item.strip()))
    if long := [item for item in found if len(item) > 255]:
        raise InvalidPipeline(
            f"{long[0][:40]!r}… is longer than 255 characters.", field=at(where, key)
        )
    return found


def check_tags(tags: Iterable[str]) -> None:
    """Refuse what a selection could not name as ``tag:…``."""
    for tag in tags:
        if len(tag) > 60 or not _TAG.fullmatch(tag):
            raise InvalidPipeline(
                f"{tag[:60]!r} cannot be a tag.",
                field="tags",
                remedy="Use up to 60 letters, digits, hyphens, underscores, dots, colons or slashes.",
            )


def contract(data: dict[str, Any], where: str) -> dict[str, str]:
    """The schema contract, in the order of ``CONTRACT_KEYS``; empty where nothing is said."""
    value = data.get("schema_contract")
    path = at(where, "schema_contract")
    if value is None or value == "":
        return {}
    given = known(value, CONTRACT_KEYS, path, "A schema contract")
    return {
        key: str(choice(SchemaChange, given, key, path))
        for key in CONTRACT_KEYS
        if given.get(key) not in (None, "")
    }


def unique(found: Iterable[str], what: str, *, field: str = "resources") -> None:
    seen: set[str] = set()
    for value in found:
        if value in seen:
            raise InvalidPipeline(
                f"Two resources have the {what} {value!r}.",
                field=field,
                remedy=f"Give one of them another {what}.",
            )
        seen.add(value)


def plain(value: Any) -> Any:
    """As JSON has it: members of enumerations as texts, tuples as lists."""
    if isinstance(value, TextChoices):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def default_target(name: str) -> str:
    """A table keeps its name; a file path becomes one: ``data/Air ports.csv.gz`` → ``air_ports``."""
    if re.fullmatch(r"[^\W\d]\w*", name):
        # As the engine calls a table without settings: giving it some must not make another of it.
        return name[:63]
    stem = (
        PurePosixPath(name.replace("*", "")).name.split(".")[0] or PurePosixPath(name).parent.name
    )
    target = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "table"
    return f"_{target}"[:63] if target[0].isdigit() else target[:63]
