"""What a pruner is, and the one for plain rows whose keys grow with time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Min, QuerySet

from tenants.models import PlatformSettings
from tenants.selectors import platform_settings

#: A batch that takes longer than this makes the next one smaller: others want to write meanwhile.
LONG_SECONDS, SHORT_SECONDS = 0.25, 0.08
SMALLEST, LARGEST = 50, 5_000


@dataclass
class Pace:
    """How many rows a batch takes; it follows what the database manages in a quarter of a second."""

    size: int = 500

    def took(self, seconds: float) -> None:
        if seconds > LONG_SECONDS:
            self.size = max(SMALLEST, self.size // 2)
        elif seconds < SHORT_SECONDS:
            self.size = min(LARGEST, self.size * 2)


@dataclass(frozen=True)
class Pruner:
    """One kind of thing that grows old.

    ``batches(now, pace)`` yields after each batch how many things it took; each batch is a transaction of its own, no
    longer than ``pace`` allows, and a new call goes on where the last one stopped. ``count(now, most)`` is what a call
    would take, and ends counting at ``most``; None counts to the end.
    """

    name: str
    label: str
    batches: Callable[[datetime, Pace], Iterator[int]]
    count: Callable[[datetime, int | None], int]


def cutoff(now: datetime, days: int | None) -> datetime | None:
    """Things from before it go; None keeps everything."""
    return None if days is None else now - timedelta(days=days)


def first_kept(rows: QuerySet[Any], field: str, before: datetime) -> int:
    """The key from which on rows are not older than ``before``; looks at some thirty rows.

    Keys grow with time, so no index on the time is needed, which every insert would pay for.
    """
    ends = rows.aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is None:
        return 0
    low, high = int(ends["low"]), int(ends["high"]) + 1
    while low < high:
        middle = (low + high) // 2
        found = rows.filter(pk__gte=middle).order_by("pk").values_list("pk", field).first()
        if found is None or found[1] >= before:
            high = middle
        else:
            low = int(found[0]) + 1
    return low


def keys_between(rows: QuerySet[Any], after: int, end: int, most: int) -> list[int]:
    """The next keys, in order."""
    some = rows.filter(pk__gt=after, pk__lt=end).order_by("pk")
    return list(some.values_list("pk", flat=True)[:most])


def counted(rows: QuerySet[Any], most: int | None) -> int:
    rows = rows.order_by()
    return rows.count() if most is None else rows[:most].count()


def rows_by_age(
    name: str,
    label: str,
    rows: Callable[[], QuerySet[Any]],
    field: str,
    days: Callable[[PlatformSettings], int | None],
    *,
    narrow: Callable[[QuerySet[Any]], QuerySet[Any]] = lambda rows: rows,
) -> Pruner:
    """For a table that nothing hangs on, with a key that grows with ``field``; ``narrow`` leaves out what must stay."""

    def old(now: datetime) -> tuple[QuerySet[Any], int]:
        before = cutoff(now, days(platform_settings()))
        if before is None:
            return rows().none(), 0
        end = first_kept(rows(), field, before)
        return narrow(rows().filter(**{f"{field}__lt": before})), end

    def batches(now: datetime, pace: Pace) -> Iterator[int]:
        doomed, end = old(now)
        cursor = -1
        while keys := keys_between(rows(), cursor, end, pace.size):
            cursor = keys[-1]
            with transaction.atomic():
                taken, _ = doomed.filter(pk__gte=keys[0], pk__lte=cursor).delete()
            yield taken

    def count(now: datetime, most: int | None) -> int:
        doomed, end = old(now)
        return counted(doomed.filter(pk__lt=end), most)

    return Pruner(name, label, batches, count)


def timed(batches: Iterator[int], pace: Pace) -> Iterator[tuple[int, float]]:
    """Each batch with the seconds it took; ``pace`` learns from them."""
    while True:
        started = time.monotonic()
        taken = next(batches, None)
        if taken is None:
            return
        seconds = time.monotonic() - started
        pace.took(seconds)
        yield taken, seconds
