"""What one run of a pipeline is asked to do differently."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from common.errors import UserError
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.described import definition_of
from pipelines.models import MergeStrategy, Mode, Pipeline, WriteDisposition
from pipelines.patterns import matcher

_LONGEST_VALUE = 255
_NAMED_IN_WORDS = 3


class InvalidLoadOptions(UserError):
    """The pipeline cannot be run like this."""

    code = "invalid_load_options"


@dataclass(frozen=True)
class LoadOptions:
    """Options of one run; the default is a run as its schedule would start it.

    ``cursor_from`` and ``cursor_to`` are a half-open range of the cursor that is deleted and loaded again.
    """

    full_refresh: bool = False
    #: Names of resources; empty is all of them.
    tables: tuple[str, ...] = ()
    cursor_from: str = ""
    cursor_to: str = ""
    replay_rejects: bool = False

    @classmethod
    def of(
        cls,
        *,
        full_refresh: bool = False,
        tables: Iterable[str] = (),
        cursor_from: str = "",
        cursor_to: str = "",
        replay_rejects: bool = False,
    ) -> "LoadOptions":
        """As people give them: blanks around names and values, and names given twice, count for nothing."""
        named = tuple(dict.fromkeys(name.strip() for name in tables if name.strip()))
        return cls(full_refresh, named, cursor_from.strip(), cursor_to.strip(), replay_rejects)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "LoadOptions":
        """The reverse of ``as_json``; what is missing is the default."""
        bounds = value.get("cursor_range") or {}
        return cls(
            full_refresh=bool(value.get("full_refresh")),
            tables=tuple(value.get("resources") or ()),
            cursor_from=bounds.get("from", ""),
            cursor_to=bounds.get("to", ""),
            replay_rejects=bool(value.get("replay_rejects")),
        )

    def as_json(self) -> dict[str, Any]:
        """As the engine and a run's row have it."""
        bounds = {"from": self.cursor_from, "to": self.cursor_to} if self.has_range else None
        return {
            "full_refresh": self.full_refresh,
            "resources": list(self.tables),
            "cursor_range": bounds,
            "replay_rejects": self.replay_rejects,
        }

    @property
    def has_range(self) -> bool:
        return bool(self.cursor_from or self.cursor_to)

    @property
    def first_field(self) -> str:
        """The first option given of those that only a single pipeline takes; empty when there is none."""
        given = {
            "tables": self.tables,
            "cursor_from": self.cursor_from,
            "cursor_to": self.cursor_to,
            "replay_rejects": self.replay_rejects,
        }
        return next((name for name, value in given.items() if value), "")

    def words(self) -> str:
        """ "only orders, from 2024-01-01 up to 2024-02-01 again"; empty for a usual run."""
        parts = ["full refresh"] if self.full_refresh else []
        if self.tables:
            more = len(self.tables) - _NAMED_IN_WORDS
            named = ", ".join(self.tables[:_NAMED_IN_WORDS])
            parts.append(f"only {named} and {more} more" if more > 0 else f"only {named}")
        if self.has_range:
            parts.append(f"from {self.cursor_from} up to {self.cursor_to} again")
        if self.replay_rejects:
            parts.append("rejected rows again")
        return ", ".join(parts)


#: A run that is asked for nothing special.
USUAL = LoadOptions()


def check_options(pipeline: Pipeline, options: LoadOptions) -> None:
    """``InvalidLoadOptions`` naming the option that this pipeline cannot take."""
    _check_together(options)
    definition = definition_of(pipeline)
    for name in options.tables:
        _check_table(definition, name)
    if options.has_range:
        _check_range(_ranged(definition, options), options)


def _check_together(options: LoadOptions) -> None:
    wholes = {
        "full_refresh": options.full_refresh,
        "cursor_from": options.has_range,
        "replay_rejects": options.replay_rejects,
    }
    given = [name for name, value in wholes.items() if value]
    if len(given) > 1:
        words = {
            "full_refresh": "A full refresh",
            "cursor_from": "loading a range again",
            "replay_rejects": "loading rejected rows again",
        }
        raise InvalidLoadOptions(
            f"{words[given[0]][0].upper()}{words[given[0]][1:]} and {words[given[1]]} exclude each other.",
            field=given[1],
            remedy="Choose one of them, and run the pipeline twice if both are wanted.",
        )


def _check_table(definition: PipelineDefinition, name: str) -> None:
    named = next((one for one in definition.resources if one.name == name), None)
    if named is not None and named.is_selected:
        return
    if named is not None:
        raise InvalidLoadOptions(
            f"{name!r} is left out of this pipeline.",
            field="tables",
            remedy="Load it with the pipeline first, in its settings.",
        )
    if definition.mode is not Mode.FULL_DATABASE:
        known = ", ".join(one.name for one in definition.resources if one.is_selected)
        raise InvalidLoadOptions(
            f"This pipeline has no table {name!r}.",
            field="tables",
            remedy=f"It has: {known[:300]}.",
        )
    if not is_included(definition, name):
        raise InvalidLoadOptions(
            f"{name!r} does not match the patterns of this pipeline.",
            field="tables",
            remedy="Name a table that include and exclude let through.",
        )


def is_included(definition: PipelineDefinition, name: str) -> bool:
    """Whether the patterns of a whole database let the table through."""
    if matcher(definition.exclude)(name):
        return False
    return not definition.include or matcher(definition.include)(name)


def _ranged(definition: PipelineDefinition, options: LoadOptions) -> ResourceDefinition:
    """The one resource whose range is meant."""
    selected = [one for one in definition.resources if one.is_selected]
    several = definition.mode is Mode.FULL_DATABASE or len(selected) > 1
    if len(options.tables) != 1 and (several or options.tables):
        raise InvalidLoadOptions(
            "A range is loaded for one table at a time.",
            field="tables",
            remedy="Name exactly one table.",
        )
    wanted = options.tables[0] if options.tables else selected[0].name
    found = next((one for one in selected if one.name == wanted), None)
    filled = definition.filled(found) if found else None
    replaced = filled and filled.write_disposition is WriteDisposition.REPLACE
    if filled is None or not filled.cursor_column or replaced:
        raise InvalidLoadOptions(
            f"{wanted!r} has no cursor, so it has no ranges.",
            field="cursor_from",
            remedy="Give the table a cursor, or load it whole with a full refresh.",
        )
    return filled


def _check_range(resource: ResourceDefinition, options: LoadOptions) -> None:
    bounds = {"cursor_from": options.cursor_from, "cursor_to": options.cursor_to}
    for field, value in bounds.items():
        if not value or len(value) > _LONGEST_VALUE:
            raise InvalidLoadOptions(
                "A range has a beginning and an end.",
                field=field,
                remedy=f"Give both, of at most {_LONGEST_VALUE} characters; the end itself is not loaded.",
            )
    merged = resource.write_disposition is WriteDisposition.MERGE
    if merged and resource.merge_strategy is MergeStrategy.SCD2:
        raise InvalidLoadOptions(
            f"{resource.name!r} keeps every version, and a range loaded again would lose them.",
            field="cursor_from",
            remedy="Set its cursor back instead: the next run takes up what has changed.",
        )
    if _is_before(options.cursor_to, options.cursor_from):
        raise InvalidLoadOptions(
            f"The range from {options.cursor_from} up to {options.cursor_to} is empty.",
            field="cursor_to",
            remedy="Give an end behind the beginning; the end itself is not loaded.",
        )


def _is_before(end: str, begin: str) -> bool:
    """Whether the range is empty, where both can be compared here; the source decides about the rest."""
    if end == begin:
        return True
    try:
        return Decimal(end) <= Decimal(begin)
    except InvalidOperation:
        pass
    try:
        return datetime.fromisoformat(end) <= datetime.fromisoformat(begin)
    except (ValueError, TypeError):
        return False
