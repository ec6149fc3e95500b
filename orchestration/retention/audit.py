"""Audit events that are old enough: the beginnings of their chains, so that what is left can still be verified."""

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction

from audit import services as audit
from orchestration.retention.pruners import Pace, Pruner, cutoff
from orchestration.retention.trash import RETENTION
from tenants.selectors import platform_settings


def _batches(now: datetime, pace: Pace) -> Iterator[int]:
    before = cutoff(now, platform_settings().audit_retention_days)
    if before is None:
        return
    for chain, end in audit.prunable(before):
        with transaction.atomic():
            audit.announce_pruning(chain, end, before=before, actor=RETENTION)
            taken = audit.take_beginning(chain, end, pace.size)
        yield taken
        while taken := audit.take_beginning(chain, end, pace.size):
            yield taken


def _count(now: datetime, most: int | None) -> int:
    before = cutoff(now, platform_settings().audit_retention_days)
    return 0 if before is None else audit.count_prunable(before, most)


AUDIT = Pruner("audit_events", "Audit events", _batches, _count)
