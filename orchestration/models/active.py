"""What waits or runs, asked for in the words of the partial indexes."""

from typing import Any

from django.db.models import Q, Value

from orchestration.models.vocabulary import ACTIVE_STATUSES


class Literal(Value):
    """A word of ours in the SQL itself: SQLite uses a partial index only where it can read the condition."""

    def as_sql(self, *_arguments: Any, **_options: Any) -> tuple[str, tuple[str | int, ...]]:
        return f"'{self.value}'", ()


#: Runs or steps that wait or run, found in their own small index on both databases.
IS_ACTIVE = Q(status__in=[Literal(status.value) for status in sorted(ACTIVE_STATUSES)])
