"""Events that were written while no trigger was there, such as those of older versions, are linked behind the rest."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Max

from audit.digests import FIELDS, content_digest, link_digest
from audit.models import AuditChain, AuditEvent, AuditLink
from common import bulk

BATCH = 2_000


def adopt(using: str = DEFAULT_DB_ALIAS) -> int:
    """Link every event without a link, in the order of their ids, in the caller's transaction; how many."""
    heads: dict[int, AuditChain] = {}
    rows = AuditEvent.all_organizations.using(using).filter(link__isnull=True).order_by("pk")
    # Where links end there is nothing to look for among the older.
    end = rows.aggregate(last=Max("pk"))["last"]
    cursor = count = 0
    while end is not None and cursor < end:
        batch = list(rows.filter(pk__gt=cursor)[:BATCH].values("id", "content_digest", *FIELDS))
        if not batch:
            break
        cursor = batch[-1]["id"]
        _link(batch, heads, using)
        count += len(batch)
    for head in heads.values():
        head.save(using=using)
    return count


def _link(batch: list[dict[str, Any]], heads: dict[int, AuditChain], using: str) -> None:
    undigested = [event for event in batch if not event["content_digest"]]
    for event in undigested:
        event["content_digest"] = content_digest(event)
    bulk.update(
        AuditEvent,
        [{"id": event["id"], "content_digest": event["content_digest"]} for event in undigested],
    )
    links = []
    for event in batch:
        chain = event["organization_id"] or 0
        if chain not in heads:
            known = AuditChain.objects.using(using).filter(pk=chain).first()
            heads[chain] = known or AuditChain(pk=chain)
        head = heads[chain]
        head.sequence += 1
        head.digest = link_digest(head.digest, head.sequence, event["content_digest"])
        links.append(
            AuditLink(
                event_id=event["id"], chain_id=chain, sequence=head.sequence, digest=head.digest
            )
        )
    AuditLink.objects.using(using).bulk_create(links)
