"""Backfills worked off here as workers would, with everything that follows from the end of a transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestration import services
from orchestration.engine import executor
from orchestration.engine.claims import waiting_steps
from orchestration.models import Backfill, BackfillSlice
from pipelines.tests.loaded import Loaded

#: pytest-django's ``django_capture_on_commit_callbacks``.
Committing = Callable[..., Any]

MERGED = {
    "name": "orders",
    "write_disposition": "merge",
    "primary_key": ["id"],
    "cursor_column": "updated_at",
}
RANGE: dict[str, Any] = {
    "resource": "orders",
    "cursor_from": "2024-01-01",
    "cursor_to": "2024-01-05",
    "slice_size": "1 day",
}


@dataclass
class Filling:
    """A loaded shop with what it takes to run backfills on it."""

    shop: Loaded
    committing: Committing

    def start(self, **changes: Any) -> Backfill:
        with self.committing(execute=True):
            return services.request_backfill(
                organization=self.shop.organization,
                actor=self.shop.actor,
                pipeline=self.shop.pipeline,
                **{**RANGE, **changes},
            )

    def change(self, service: Callable[..., Backfill], backfill: Backfill) -> Backfill:
        with self.committing(execute=True):
            return service(backfill=backfill, actor=self.shop.actor)

    def work(self, most: int = 1_000) -> int:
        """Execute steps until none waits, or ``most``; how many it were."""
        for count in range(most):
            steps = waiting_steps(self.shop.organization.pk)
            if not steps:
                return count
            with self.committing(execute=True):
                executor.execute(steps[0])
        return most

    def slices(self, backfill: Backfill) -> list[BackfillSlice]:
        rows = BackfillSlice.objects.for_organization(self.shop.organization)
        return list(rows.filter(backfill=backfill).order_by("position").select_related("run"))

    def statuses(self, backfill: Backfill) -> list[str]:
        return [str(one.status) for one in self.slices(backfill)]
