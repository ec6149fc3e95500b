"""What was long enough in the trash."""

from collections.abc import Iterator
from datetime import datetime

from common.access import Role
from common.errors import Conflict, NotFound
from orchestration.retention.pruners import Pace, Pruner, counted
from orchestration.services import trash
from tenants.actors import Actor

#: Who did it, in each organization's audit log.
RETENTION = Actor("operator", "Retention", Role.OWNER)


def _batches(now: datetime, pace: Pace) -> Iterator[int]:
    for kind in trash.KINDS:
        # Keys first: what cannot go at this moment is not asked for again in this call.
        for pk in list(trash.expired(kind, now).values_list("pk", flat=True)):
            yield from _one(kind, pk, now)


def _one(kind: str, pk: int, now: datetime) -> Iterator[int]:
    row = trash.expired(kind, now).select_related("organization").filter(pk=pk).first()
    if row is None or not trash.can_go(kind, row):
        return
    for _count in trash.detach(kind, pk):
        yield 0
    try:
        trash.remove(kind, row, RETENTION)
    except (Conflict, NotFound):
        # A run of it, or somebody who restored it, was faster: the next call looks again.
        return
    yield 1


def _count(now: datetime, most: int | None) -> int:
    found = sum(counted(trash.expired(kind, now), most) for kind in trash.KINDS)
    return found if most is None else min(found, most)


TRASH = Pruner("trash", "Things in the trash", _batches, _count)
