"""What was deleted: the way back, and the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Model, Q, QuerySet

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import Conflict, NotFound
from common.scoping import Trashable
from connections import services as connections
from connections.models import Connection
from orchestration.models import Run, RunStep, Schedule, Status
from orchestration.services.schedules import restore_schedule
from pipelines import services as pipelines
from pipelines.models import Pipeline
from tenants.actors import Actor
from tenants.models import Organization
from tenants.selectors import platform_settings
from transforms import services as transforms
from transforms.models import Transformation

#: Rows of history that one statement lets go of what is removed.
BATCH = 2_000


@dataclass(frozen=True)
class Kind:
    """One kind of thing that can be in the trash."""

    model: type[Any]
    restore: Callable[[Any, Actor], Any]
    #: Rows of history that name it and stay without it: model, field, and the condition.
    history: Callable[[int], list[tuple[type[Any], str, Q]]]


@dataclass(frozen=True)
class Entry:
    """One thing in the trash; ``purged_at`` None is never."""

    kind: str
    row: Any
    purged_at: datetime | None


#: Whatever others hang on comes after them: pipelines hold their connections.
KINDS: dict[str, Kind] = {
    "pipeline": Kind(
        Pipeline,
        lambda row, actor: pipelines.restore_pipeline(pipeline=row, actor=actor),
        lambda pk: [
            (RunStep, "pipeline", Q(pipeline=pk)),
            (Run, "node", Q(node__pipeline=pk)),
            (Run, "schedule", Q(schedule__node__pipeline=pk)),
            (Run, "backfill", Q(backfill__pipeline=pk)),
        ],
    ),
    "transformation": Kind(
        Transformation,
        lambda row, actor: transforms.restore_transformation(transformation=row, actor=actor),
        lambda pk: [
            (Run, "node", Q(node__transformation=pk)),
            (Run, "schedule", Q(schedule__node__transformation=pk)),
        ],
    ),
    "schedule": Kind(
        Schedule,
        lambda row, actor: restore_schedule(schedule=row, actor=actor),
        lambda pk: [(Run, "schedule", Q(schedule=pk))],
    ),
    "connection": Kind(
        Connection,
        lambda row, actor: connections.restore_connection(connection=row, actor=actor),
        lambda pk: [(RunStep, "connection", Q(connection=pk))],
    ),
}


def in_trash(organization: Organization) -> list[Entry]:
    """The newest first, with the moment from which on each is removed for good."""
    days = platform_settings().trash_retention_days
    kept = None if days is None else timedelta(days=days)
    found = [
        Entry(key, row, None if kept is None else row.deleted_at + kept)
        for key, kind in KINDS.items()
        for row in kind.model.objects.trash_of(organization)
    ]
    return sorted(found, key=lambda entry: entry.row.deleted_at, reverse=True)


def find_in_trash(organization: Organization, kind: str, pk: int) -> Any:
    """The row, or ``NotFound``."""
    if kind not in KINDS:
        raise NotFound(f"The trash knows no {kind!r}.", remedy=f"Use {', '.join(sorted(KINDS))}.")
    rows = KINDS[kind].model.objects.trash_of(organization).select_related("organization")
    if (row := rows.filter(pk=pk).first()) is None:
        raise NotFound("There is no such thing in the trash.")
    return row


def restore_from_trash(*, kind: str, row: Trashable, actor: Actor) -> Any:
    """Back to where it was; a slug that is taken by now gets a number."""
    return KINDS[kind].restore(row, actor)


def purge_from_trash(*, kind: str, row: Trashable, actor: Actor) -> None:
    """Remove it for good, with what belongs to it alone; its runs stay in the history."""
    actor.require(Permission.MANAGE_ORGANIZATION)
    _refuse_if_needed(kind, row)
    for _count in detach(kind, row.pk):
        pass
    remove(kind, row, actor)


def detach(kind: str, pk: int) -> Iterator[int]:
    """Let the history go of what is removed, some rows at a time: a pipeline may have a million runs."""
    for model, field, condition in KINDS[kind].history(pk):
        rows: QuerySet[Model] = model.all_organizations.filter(condition).order_by()
        while keys := list(rows.values_list("pk", flat=True)[:BATCH]):
            model.all_organizations.filter(pk__in=keys).update(**{field: None})
            yield len(keys)


@transaction.atomic
def remove(kind: str, row: Trashable, actor: Actor) -> None:
    """The row itself. ``NotFound`` where somebody was faster, or has restored it."""
    rows = KINDS[kind].model.objects.trash_of(row.organization)
    locked = rows.select_for_update().filter(pk=row.pk).first()
    if locked is None:
        raise NotFound("There is no such thing in the trash.")
    _refuse_if_needed(kind, locked)
    audit.record(
        organization=row.organization,
        actor=actor,
        action=AuditAction.TRASH_PURGED,
        target=locked,
        changes={"deleted_at": [locked.deleted_at.isoformat(timespec="seconds"), None]},
    )
    locked.delete()


def expired(kind: str, now: datetime) -> QuerySet[Any]:
    """What was in the trash for as long as operators allow. Of organizations that rest nothing is taken."""
    days = platform_settings().trash_retention_days
    rows: QuerySet[Any] = KINDS[kind].model.all_organizations.order_by("pk")
    if days is None:
        return rows.none()
    return rows.filter(
        deleted_at__lt=now - timedelta(days=days),
        organization__suspended_at__isnull=True,
        organization__deletion_requested_at__isnull=True,
    )


def _refuse_if_needed(kind: str, row: Any) -> None:
    if kind == "connection" and (users := _users_of(row)):
        raise Conflict(
            f"“{row}” is needed by {', '.join(users[:5])} in the trash.",
            remedy="Remove these for good first.",
        )
    if kind in {"pipeline", "connection"}:
        steps = RunStep.all_organizations.filter(**{kind: row}, status=Status.RUNNING)
        if steps.exists():
            raise Conflict(f"A run of “{row}” is still going.", remedy="Cancel it first, or wait.")


def _users_of(connection: Connection) -> list[str]:
    """Living ones are among them only if somebody was faster than this question."""
    loads = Q(source=connection) | Q(destination=connection)
    found = [f"“{row}”" for row in Pipeline.all_organizations.filter(loads)[:6]]
    rows = Transformation.all_organizations.filter(connection=connection)
    return found + [f"“{row}”" for row in rows[:6]]


def can_go(kind: str, row: Any) -> bool:
    """Whether nothing needs it at the moment."""
    try:
        _refuse_if_needed(kind, row)
    except Conflict:
        return False
    return True


def paused_schedules_of(kind: str, row: Any) -> int:
    """How many schedules start nothing but this, and are paused."""
    if kind not in {"pipeline", "transformation"}:
        return 0
    rows = Schedule.objects.for_organization(row.organization)
    return rows.filter(**{f"node__{kind}": row}, is_active=False).count()
