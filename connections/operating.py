"""What operators set for one connection: how many steps may use it at once, and which workers reach it."""

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.errors import PermissionDenied, UserError
from connections.models import Connection
from tenants.actors import Actor
from tenants.services import check_queue

NAMES = ("max_concurrent_runs", "queue")
MOST = 1_000


@transaction.atomic
def set_places(
    *, connection: Connection, actor: Actor, max_concurrent_runs: int | None, queue: str
) -> Connection:
    """Raises ``UserError`` with the field for what cannot be. None leaves it to the connector, "" to what is usual."""
    if actor.kind != "operator":
        raise PermissionDenied("This is set by operators of the installation.")
    check_queue(queue)
    if max_concurrent_runs is not None and not 1 <= max_concurrent_runs <= MOST:
        raise UserError(
            f"{max_concurrent_runs:,} steps at the same time cannot be.",
            field="max_concurrent_runs",
            remedy=f"Give 1 to {MOST:,}, or leave it empty.",
        )
    connection = Connection.all_organizations.select_for_update().get(pk=connection.pk)
    before = {name: getattr(connection, name) for name in NAMES}
    after = {"max_concurrent_runs": max_concurrent_runs, "queue": queue}
    changes = audit.difference(before, after)
    if not changes:
        return connection
    connection.max_concurrent_runs, connection.queue = max_concurrent_runs, queue
    connection.save(update_fields=[*NAMES])
    audit.record(
        organization=connection.organization,
        actor=actor,
        action=AuditAction.CONNECTION_UPDATED,
        target=connection,
        changes=changes,
    )
    return connection
