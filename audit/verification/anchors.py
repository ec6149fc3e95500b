"""The heads of the chains, to be kept where the database cannot reach: proof against digests that are all made anew."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from django.apps import apps
from django.utils import timezone

from audit.actions import AuditAction
from audit.models import INSTALLATION, AuditChain, AuditEvent, AuditLink
from audit.verification.findings import Finding, Kind
from audit.verification.snapshot import snapshot
from common.errors import UserError

_KEYS = {"chain": int, "organization": str, "sequence": int, "digest": str, "at": str}


@dataclass(frozen=True)
class Anchor:
    """Where a chain ended at a moment."""

    chain: int
    organization: str
    sequence: int
    digest: str
    at: str

    def as_line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def anchors(chains: Iterable[int] | None = None) -> list[Anchor]:
    """The head of each chain at this moment."""
    now = timezone.now().isoformat(timespec="seconds")
    with snapshot():
        heads = AuditChain.objects.order_by("pk")
        if chains is not None:
            heads = heads.filter(pk__in=list(chains))
        names = dict(apps.get_model("tenants", "Organization").objects.values_list("pk", "slug"))
        return [
            Anchor(head.pk, names.get(head.pk, ""), head.sequence, head.digest, now)
            for head in heads
        ]


def read_anchors(lines: Iterable[str]) -> list[Anchor]:
    """Those of a file, one a line; ``UserError`` names the first line that is none."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            anchor = Anchor(**{key: kind(data[key]) for key, kind in _KEYS.items()})
            datetime.fromisoformat(anchor.at)
        except (ValueError, TypeError, KeyError):
            raise UserError(
                f"Line {number} is no anchor.",
                remedy="Take a file that verify_audit --anchors wrote.",
            ) from None
        found.append(anchor)
    return found


def check_anchors(kept: Iterable[Anchor], notes: list[str]) -> Iterator[Finding]:
    """Whether each chain still goes through its anchor; what cannot be told any more goes to ``notes``."""
    with snapshot():
        heads = AuditChain.objects.in_bulk()
        for anchor in kept:
            yield from _check(anchor, heads.get(anchor.chain), notes)


def _check(anchor: Anchor, head: AuditChain | None, notes: list[str]) -> Iterator[Finding]:
    name = anchor.organization or f"chain {anchor.chain}"
    if head is None:
        if _was_removed(anchor.chain):
            notes.append(f"{name}: removed for good since {anchor.at}.")
        else:
            text = f"the chain of {name} is gone, which was there at {anchor.at}."
            yield Finding(Kind.CHAIN, anchor.chain, text)
        return
    if anchor.sequence < head.pruned_sequence:
        notes.append(f"{name}: place {anchor.sequence} is pruned since {anchor.at}.")
        return
    if _digest_at(head, anchor.sequence) != anchor.digest:
        text = (
            f"{name} does not go through the anchor of {anchor.at}: what was before it is another."
        )
        yield Finding(Kind.CHAIN, anchor.chain, text, anchor.sequence)


def _digest_at(head: AuditChain, sequence: int) -> str | None:
    if sequence == head.pruned_sequence:
        return head.pruned_digest
    rows = AuditLink.objects.filter(chain_id=head.pk, sequence=sequence)
    return rows.values_list("digest", flat=True).first()


def _was_removed(chain: int) -> bool:
    rows = AuditEvent.all_organizations.filter(
        organization__isnull=True,
        action=AuditAction.ORGANIZATION_REMOVED,
        target_id=str(chain),
    )
    return chain != INSTALLATION and rows.exists()
