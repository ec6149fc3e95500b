"""Relations: a schema and a name, in backticks."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from dbt.adapters.base.relation import BaseRelation, EventTimeFilter, Policy
from dbt.adapters.contracts.relation import RelationType
from dbt_common.exceptions import DbtRuntimeError

_LONGEST = 64
_RENAMEABLE = frozenset({RelationType.View, RelationType.Table})


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return "`{}`".format(name.replace("`", "``"))


def moment(value: datetime) -> str:
    """As MySQL writes it, in UTC."""
    known = value.astimezone(UTC) if value.tzinfo else value
    return known.strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass
class MySQLQuotePolicy(Policy):
    database: bool = False
    schema: bool = True
    identifier: bool = True


@dataclass
class MySQLIncludePolicy(Policy):
    database: bool = False
    schema: bool = True
    identifier: bool = True


@dataclass(frozen=True, eq=False, repr=False)
class MySQLRelation(BaseRelation):
    quote_policy: Policy = field(default_factory=MySQLQuotePolicy)
    include_policy: Policy = field(default_factory=MySQLIncludePolicy)
    quote_character: str = "`"
    renameable_relations: frozenset[RelationType] = _RENAMEABLE
    replaceable_relations: frozenset[RelationType] = _RENAMEABLE

    def __post_init__(self) -> None:
        # Names of tests are no names of tables, and have no type.
        if self.identifier and self.type and len(self.identifier) > _LONGEST:
            raise DbtRuntimeError(f"“{self.identifier}” is longer than {_LONGEST} characters.")

    def quoted(self, identifier: str) -> str:
        return quoted(identifier)

    def _render_event_time_filtered(self, event_time_filter: EventTimeFilter) -> str:
        """MySQL's literals of moments have no zone; the session's is UTC, as dbt's batches are."""
        name, parts = event_time_filter.field_name, []
        if event_time_filter.start:
            parts.append(f"{name} >= '{moment(event_time_filter.start)}'")
        if event_time_filter.end:
            parts.append(f"{name} < '{moment(event_time_filter.end)}'")
        return " and ".join(parts)
