"""Along each chain from its first link to its head."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from audit.actions import AuditAction
from audit.digests import FIELDS, content_digest, link_digest
from audit.models import AuditChain, AuditEvent, AuditLink
from audit.verification.findings import Finding, Kind, Tally, named
from audit.verification.snapshot import snapshot

BATCH = 2_000
#: Events out of place that are compared with each other, so that a swap is told from two changes.
COMPARED = 200


@dataclass(frozen=True)
class _Misfit:
    """An event whose digest is not the one that was linked, with what its place asks for."""

    link: AuditLink
    event: AuditEvent
    content: str
    previous: str

    def fits(self, content: str) -> bool:
        return link_digest(self.previous, self.link.sequence, content) == self.link.digest


@dataclass
class _Walk:
    """Where the walk along one chain stands: what comes next, and on which digests it may hang."""

    chain: int
    sequence: int
    #: The digest that is stored; and after a link that does not fit, also the one it should have had.
    previous: tuple[str, ...]
    misfits: list[_Misfit] = field(default_factory=list)


def verify(
    tally: Tally, *, chains: Iterable[int] | None = None, seconds: float | None = None
) -> Iterator[Finding]:
    """What is wrong in these chains, or all; ``tally`` counts meanwhile. Ends early when ``seconds`` are over."""
    until = None if seconds is None else time.monotonic() + seconds
    with snapshot():
        wanted = None if chains is None else list(chains)
        for finding in _everything(tally, wanted, until):
            tally.findings += 1
            yield finding


def _everything(tally: Tally, wanted: list[int] | None, until: float | None) -> Iterator[Finding]:
    heads = AuditChain.objects.order_by("pk")
    if wanted is not None:
        heads = heads.filter(pk__in=wanted)
    for head in list(heads):
        tally.chains += 1
        yield from _one(head, tally, until)
        if not tally.is_whole:
            return
    yield from _headless(wanted)
    yield from _unlinked(wanted)


def _one(head: AuditChain, tally: Tally, until: float | None) -> Iterator[Finding]:
    walk = _Walk(head.pk, head.pruned_sequence, (head.pruned_digest,))
    links = AuditLink.objects.filter(chain_id=head.pk).order_by("sequence")
    last, digest = head.pruned_sequence, head.pruned_digest
    while batch := list(links.filter(sequence__gt=last)[:BATCH]):
        if until is not None and time.monotonic() > until:
            tally.is_whole = False
            return
        events = AuditEvent.all_organizations.in_bulk([link.pk for link in batch])
        for link in batch:
            yield from _step(walk, link, events.get(link.pk))
        tally.events += len(events)
        last, digest = batch[-1].sequence, batch[-1].digest
    yield from _told(walk)
    yield from _before_the_beginning(head)
    yield from _end(head, last, digest)


def _step(walk: _Walk, link: AuditLink, event: AuditEvent | None) -> Iterator[Finding]:
    gap = link.sequence - walk.sequence - 1
    if gap:
        yield _gap(walk, gap, link)
    walk.sequence = link.sequence
    if event is None:
        text = f"event {link.pk} is gone."
        yield Finding(Kind.MISSING, walk.chain, text, link.sequence, link.pk)
        walk.previous = (link.digest,)
        return
    content = content_digest({name: getattr(event, name) for name in FIELDS})
    should = [link_digest(previous, link.sequence, content) for previous in walk.previous]
    if gap or link.digest in should:
        if content != event.content_digest:
            yield _changed(walk.chain, link, event, "its digest was changed")
        walk.previous = (link.digest,)
        return
    walk.misfits.append(_Misfit(link, event, content, walk.previous[0]))
    walk.previous = (link.digest, should[0])
    if len(walk.misfits) >= COMPARED:
        yield from _told(walk)


def _told(walk: _Walk) -> Iterator[Finding]:
    """The events that did not fit: those that fit in another's place were moved, the others changed."""
    for misfit in walk.misfits:
        place = next((one for one in walk.misfits if one.fits(misfit.content)), None)
        if place is not None and place is not misfit:
            text = f"{named(misfit.event)} stands here and belongs to place {place.link.sequence}."
            yield Finding(Kind.REORDERED, walk.chain, text, misfit.link.sequence, misfit.event.pk)
        else:
            yield _changed(walk.chain, misfit.link, misfit.event, "it is not what was written")
    walk.misfits.clear()


def _changed(chain: int, link: AuditLink, event: AuditEvent, why: str) -> Finding:
    return Finding(Kind.CHANGED, chain, f"{named(event)}: {why}.", link.sequence, event.pk)


def _gap(walk: _Walk, gap: int, link: AuditLink) -> Finding:
    first = walk.sequence + 1
    places = f"place {first}" if gap == 1 else f"places {first} to {link.sequence - 1}"
    text = f"{_events(gap)} ({places}) before event {link.pk}; that one cannot be checked itself."
    return Finding(Kind.MISSING, walk.chain, text, first)


def _events(count: int) -> str:
    return "1 event is gone" if count == 1 else f"{count:,} events are gone"


def _end(head: AuditChain, last: int, digest: str) -> Iterator[Finding]:
    if last < head.sequence:
        text = (
            f"{_events(head.sequence - last)} at the end: the chain goes to place {head.sequence}."
        )
        yield Finding(Kind.MISSING, head.pk, text, last + 1)
    elif last > head.sequence:
        text = (
            f"its head stands at place {head.sequence} and its links go to {last}: it was set back."
        )
        yield Finding(Kind.CHAIN, head.pk, text)
    elif digest != head.digest:
        yield Finding(Kind.CHAIN, head.pk, "its head has another digest than its last link.")


def _before_the_beginning(head: AuditChain) -> Iterator[Finding]:
    """Retention says in the log how far it goes: more than that is gone for another reason."""
    if not head.pruned_sequence:
        return
    rows = AuditEvent.all_organizations.filter(
        organization=head.pk or None, action=AuditAction.AUDIT_PRUNED
    )
    latest = rows.order_by("-at", "-pk").values_list("changes", flat=True).first() or {}
    said = latest.get("up_to", [None, 0])[1]
    if said < head.pruned_sequence:
        text = f"it begins behind place {head.pruned_sequence}, and the last note of pruning says {said}."
        yield Finding(Kind.CHAIN, head.pk, text)


def _headless(wanted: list[int] | None) -> Iterator[Finding]:
    known = AuditChain.objects.values("pk")
    rows = AuditLink.objects.exclude(chain_id__in=known)
    if wanted is not None:
        rows = rows.filter(chain_id__in=wanted)
    for chain in rows.order_by("chain_id").values_list("chain_id", flat=True).distinct():
        yield Finding(Kind.CHAIN, chain, "its head is gone.")


def _unlinked(wanted: list[int] | None) -> Iterator[Finding]:
    rows = AuditEvent.all_organizations.filter(link__isnull=True).order_by("pk")
    if wanted is not None:
        # The installation's chain is that of no organization, for which SQL has a word of its own.
        mine = rows.filter(organization_id__in=wanted)
        rows = mine | rows.filter(organization_id__isnull=True) if 0 in wanted else mine
    for event in rows.iterator(chunk_size=BATCH):
        text = f"{named(event)} has no place in the chain."
        yield Finding(Kind.EXTRA, event.organization_id or 0, text, event_id=event.pk)
