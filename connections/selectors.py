"""Reading connections for pages and API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from audit.models import AuditEvent
from connections.models import Connection, UseAs
from tenants.models import Organization

PAGE_SIZE = 50
#: Sort key of the list → what it sorts by; never checked comes first.
_SORTS: dict[str, Any] = {
    "name": lambda row: row.name.lower(),
    "type": lambda row: row.type.label.lower(),
    "role": lambda row: row.use_as,
    "checked": lambda row: row.checked_at.timestamp() if row.checked_at else 0.0,
}
DEFAULT_SORT = "name"


@dataclass(frozen=True)
class ConnectionPage:
    """One page of a filtered list; ``before`` and ``after`` are slugs to page on with, or empty."""

    rows: Sequence[Connection]
    #: Rows that match the text, by role: "", "source", "destination".
    counts: dict[str, int]
    matching: int
    after: str = ""
    before: str = ""


def connection_in_path(
    organization: Organization, arguments: Mapping[str, Any]
) -> QuerySet[Connection]:
    """What a request to a page of one connection is about, for ``common.access.register_grantable``."""
    return Connection.objects.for_organization(organization).filter(slug=arguments["slug"])


def by_role(rows: QuerySet[Connection], role: str) -> QuerySet[Connection]:
    """Those that can be used as ``role``; every one for any other word."""
    if role not in (UseAs.SOURCE, UseAs.DESTINATION):
        return rows
    return rows.filter(Q(use_as=role) | Q(use_as=UseAs.BOTH))


def list_connections(
    organization: Organization,
    *,
    text: str = "",
    role: str = "",
    sort: str = "",
    after: str = "",
    before: str = "",
) -> ConnectionPage:
    """A page of connections whose name, type or address holds ``text``.

    The address is made by the connector, so the text is looked for here rather than in the database.
    """
    known = Connection.objects.for_organization(organization).defer("secrets", "check_stages")
    wanted = text.strip().lower()
    found = [row for row in known if not wanted or wanted in _searchable(row)]
    rows = [row for row in found if _plays(row, role)]
    descending = sort.startswith("-")
    key = _SORTS.get(sort.removeprefix("-"), _SORTS[DEFAULT_SORT])
    rows.sort(key=lambda row: (key(row), row.name.lower(), row.pk), reverse=descending)
    start = _start(rows, after, before)
    page = rows[start : start + PAGE_SIZE]
    return ConnectionPage(
        rows=page,
        counts={
            kind: sum(_plays(row, kind) for row in found)
            for kind in ("", UseAs.SOURCE.value, UseAs.DESTINATION.value)
        },
        matching=len(rows),
        after=page[-1].slug if start + PAGE_SIZE < len(rows) else "",
        before=page[0].slug if page and start > 0 else "",
    )


def changes_of(connection: Connection, limit: int = 5) -> list[AuditEvent]:
    """What happened to it last. Only for those who may see the audit log."""
    rows = AuditEvent.objects.for_organization(connection.organization)
    return list(rows.filter(target_type="connection", target_id=str(connection.pk))[:limit])


def _searchable(row: Connection) -> str:
    return f"{row.name} {row.type.label} {row.address}".lower()


def _plays(row: Connection, role: str) -> bool:
    return role not in (UseAs.SOURCE, UseAs.DESTINATION) or row.use_as in (role, UseAs.BOTH)


def _start(rows: list[Connection], after: str, before: str) -> int:
    slugs = [row.slug for row in rows]
    if after in slugs:
        return slugs.index(after) + 1
    if before in slugs:
        return max(0, slugs.index(before) - PAGE_SIZE)
    return 0


def differing_secrets(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Name → ``given``, ``gone`` or ``changed``, told from fingerprints (``Connection.as_used``) alone.

    Fingerprints of two keys differ whatever the secret is, so they tell nothing.
    """
    found: dict[str, str] = {}
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ""), after.get(name, "")
        if not new:
            found[name] = "gone"
        elif not old:
            found[name] = "given"
        elif old != new and old.partition(".")[0] == new.partition(".")[0]:
            found[name] = "changed"
    return found
