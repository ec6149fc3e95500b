"""What runs now, and what stands in the way of one step more: places of the platform, the organization, connections."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connections.models import Connection
from orchestration.models import RunStep, Status
from tenants.models import Organization
from tenants.selectors import platform_settings


@dataclass(frozen=True)
class Busy:
    """A running step, as much of it as counts for slots."""

    pk: int
    organization_id: int
    run_number: int
    pipeline_id: int | None
    connection_id: int | None
    connection_ids: tuple[int, ...]


@dataclass(frozen=True)
class Slots:
    """The running steps of the platform, or of one organization."""

    running: tuple[Busy, ...]
    _users: Mapping[int, list[Busy]] = field(default_factory=dict)

    @classmethod
    def now(cls, organization_id: int | None = None) -> "Slots":
        rows = RunStep.all_organizations.filter(status=Status.RUNNING).order_by()
        if organization_id is not None:
            rows = rows.filter(organization_id=organization_id)
        running = tuple(
            Busy(pk, owner, number, pipeline, connection, tuple(ids))
            for pk, owner, number, pipeline, connection, ids in rows.values_list(
                *("pk", "organization_id", "run__number", "pipeline_id", "connection_id"),
                "connection_ids",
            )
        )
        users: dict[int, list[Busy]] = defaultdict(list)
        for busy in running:
            for pk in busy.connection_ids:
                users[pk].append(busy)
        return cls(running, users)

    def hindrance(self, organization: Organization, step: RunStep) -> str:
        """What stands in the way of the step within its organization, in words; empty when nothing does."""
        own = [one for one in self.running if one.pk != step.pk]
        if len(own) >= organization.max_concurrent_runs:
            places = organization.max_concurrent_runs
            which = "the one place" if places == 1 else f"one of the {places} places"
            return f"{which} of this organization ({_named(own)})"
        same = [one for one in own if step.pipeline_id and one.pipeline_id == step.pipeline_id]
        if same:
            return f"run #{same[0].run_number}, which loads the same pipeline"
        same = [
            one for one in own if step.connection_id and one.connection_id == step.connection_id
        ]
        if same:
            return f"run #{same[0].run_number}, which builds in the same warehouse"
        for connection in self._full(step.connection_ids):
            return f"“{connection.name}”, in use by {_named(self._users[connection.pk])}"
        return ""

    def full_organizations(self) -> set[int]:
        """Those that have as many running steps as they may."""
        counts: dict[int, int] = defaultdict(int)
        for busy in self.running:
            counts[busy.organization_id] += 1
        limits = Organization.objects.filter(pk__in=counts).values_list("pk", "max_concurrent_runs")
        return {pk for pk, limit in limits if counts[pk] >= limit}

    def full_connections(self) -> set[int]:
        """Those that no further step may use."""
        return {connection.pk for connection in self._full(self._users)}

    def platform_is_full(self) -> bool:
        limit = platform_settings().max_concurrent_steps
        return limit is not None and len(self.running) >= limit

    def _full(self, ids: Iterable[int]) -> list[Connection]:
        used = [pk for pk in ids if self._users.get(pk)]
        if not used:
            return []
        rows = Connection.all_organizations.filter(pk__in=used)
        return [c for c in rows if c.slots is not None and len(self._users[c.pk]) >= c.slots]


def _named(running: Iterable[Busy]) -> str:
    numbers = sorted({one.run_number for one in running})
    shown = ", ".join(f"run #{number}" for number in numbers[:3])
    return f"{shown} and {len(numbers) - 3} more" if len(numbers) > 3 else shown
