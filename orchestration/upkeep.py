"""Notes of the installation's own chores, so that pages and ``doctor`` can tell whether they are done."""

import time
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from orchestration.models import Upkeep

TICK, HEARTBEAT, PRUNE, CAPSULES = "tick", "heartbeat", "prune", "capsules"
#: The tick comes every second; its note need not.
TICK_NOTED_SECONDS = 10.0
#: The scheduler lives as long as beat's last tick is not older than this.
TICK_FRESH = timedelta(seconds=45)

_ticked_at = -TICK_NOTED_SECONDS


def note(
    name: str, *, is_good: bool = True, text: str = "", details: dict[str, Any] | None = None
) -> None:
    """Write down that the chore was done now, and how."""
    values: dict[str, Any] = {"at": timezone.now(), "is_good": is_good, "note": text[:500]}
    if details is not None:
        values["details"] = details
    Upkeep.objects.update_or_create(name=name, defaults=values)


def note_tick() -> None:
    """A tick came from beat to this worker. Writes every ten seconds at most."""
    global _ticked_at  # noqa: PLW0603 - one clock per process
    now = time.monotonic()
    if now - _ticked_at < TICK_NOTED_SECONDS:
        return
    _ticked_at = now
    note(TICK)


def last(name: str) -> Upkeep | None:
    return Upkeep.objects.filter(pk=name).first()


def last_tick() -> datetime | None:
    """When beat last reached a worker, give or take ten seconds."""
    row = last(TICK)
    return row.at if row else None


def is_ticking(now: datetime | None = None) -> bool:
    at = last_tick()
    return at is not None and (now or timezone.now()) - at <= TICK_FRESH


def hold(name: str, seconds: float) -> bool:
    """Make the chore this process's for so long; False while another has it."""
    now = timezone.now()
    until = now + timedelta(seconds=seconds)
    free = Q(busy_until__isnull=True) | Q(busy_until__lt=now)
    if Upkeep.objects.filter(free, pk=name).update(busy_until=until):
        return True
    if Upkeep.objects.filter(pk=name).exists():
        return False
    try:
        with transaction.atomic():
            Upkeep.objects.create(name=name, busy_until=until, note="It has not ended yet.")
    except IntegrityError:
        return False
    return True


def let_go(name: str) -> None:
    Upkeep.objects.filter(pk=name).update(busy_until=None)
