"""The beginning of a chain goes when it is old; the chain remembers its last lost link, so the rest stays provable."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.apps import apps
from django.db.models import QuerySet

from audit.actions import AuditAction
from audit.guard import opened
from audit.models import INSTALLATION, AuditChain, AuditEvent, AuditLink
from audit.services.events import EventActor, record

if TYPE_CHECKING:
    from tenants.models import Organization

#: Pruning leaves an event of its own; without this it would find something to take, and leave one, every hour.
SLACK = timedelta(days=1)


def prunable(before: datetime) -> Iterator[tuple[int, int]]:
    """(chain, last sequence that goes) of each chain with events a day older than ``before``, one by one."""
    for chain in AuditChain.objects.order_by("pk").values_list("pk", flat=True).iterator():
        first = _links(chain).order_by("sequence").first()
        if first is None or _time_of(first) > before - SLACK:
            continue
        if end := _last_older(chain, first.sequence, before):
            yield chain, end


def count_prunable(before: datetime, most: int | None) -> int:
    """How many events ``prunable`` would take; counting ends at ``most``."""
    total = 0
    for chain, end in prunable(before):
        total += _links(chain).filter(sequence__lte=end).count()
        if most is not None and total >= most:
            return most
    return total


def announce_pruning(chain: int, end: int, *, before: datetime, actor: EventActor) -> None:
    """Say in the log itself, before anything goes, how far it will go."""
    organization = _organization(chain)
    if organization is None and chain != INSTALLATION:
        return
    record(
        organization=organization,
        actor=actor,
        action=AuditAction.AUDIT_PRUNED,
        changes={"up_to": [None, end], "older_than": [None, before.isoformat()]},
    )


def take_beginning(chain: int, end: int, most: int) -> int:
    """Take up to ``most`` events from the beginning of a chain, none behind ``end``; how many, 0 when all are gone."""
    with opened():
        head = AuditChain.objects.select_for_update().get(pk=chain)
        links = list(_links(chain).filter(sequence__lte=end).order_by("sequence")[:most])
        if not links:
            return 0
        keys = [link.pk for link in links]
        AuditEvent.all_organizations.filter(pk__in=keys).delete()
        AuditLink.objects.filter(pk__in=keys).delete()
        head.pruned_sequence, head.pruned_digest = links[-1].sequence, links[-1].digest
        head.save(update_fields=["pruned_sequence", "pruned_digest"])
        return len(links)


def take_all(chain: int, most: int) -> int:
    """Of an organization that is removed: the next ``most`` events, whether they are linked or not; how many."""
    with opened():
        rows = AuditEvent.all_organizations.filter(organization=chain).order_by("pk")
        keys = list(rows.values_list("pk", flat=True)[:most])
        AuditEvent.all_organizations.filter(pk__in=keys).delete()
        AuditLink.objects.filter(pk__in=keys).delete()
        return len(keys)


def remove_chain(organization: "Organization", *, actor: EventActor) -> None:
    """What is left of it, in the transaction that removes the organization; the installation's log keeps that."""
    record(
        organization=None,
        actor=actor,
        action=AuditAction.ORGANIZATION_REMOVED,
        target=organization,
        changes={
            "slug": [organization.slug, None],
            "asked_by": [None, organization.deletion_requested_by],
        },
    )
    with opened():
        AuditEvent.all_organizations.filter(organization=organization).delete()
        _links(organization.pk).delete()
        AuditChain.objects.filter(pk=organization.pk).delete()


def _links(chain: int) -> QuerySet[AuditLink]:
    return AuditLink.objects.filter(chain_id=chain)


def _time_of(link: AuditLink) -> datetime:
    rows = AuditEvent.all_organizations.filter(pk=link.pk).values_list("at", flat=True)
    # A link whose event is gone is older than what is left.
    return rows.first() or datetime.min.replace(tzinfo=UTC)


def _last_older(chain: int, first: int, before: datetime) -> int:
    """The last sequence before the first event that stays: events come in the order of their time, but for seconds."""
    low, high = first, AuditChain.objects.get(pk=chain).sequence + 1
    while low < high:
        middle = (low + high) // 2
        link = _links(chain).filter(sequence__gte=middle).order_by("sequence").first()
        if link is None or _time_of(link) >= before:
            high = middle
        else:
            low = link.sequence + 1
    return low - 1


def _organization(chain: int) -> "Organization | None":
    model = apps.get_model("tenants", "Organization")
    return model.objects.filter(pk=chain).first()
