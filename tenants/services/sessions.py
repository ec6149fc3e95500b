"""The sessions of a person: noting where they are used, and ending them."""

from contextlib import suppress
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.actions import AuditAction
from common.errors import Conflict
from tenants.actors import Actor
from tenants.models import BrowserSession, TokenFamily, User
from tenants.services.people import record_session
from tenants.services.tokens import revoke_families_of, revoke_family
from tenants.user_agents import described

#: Last seen is a courtesy, not a log: it is written at most this often.
SEEN_EVERY = timedelta(minutes=5)
_ENDED = "This session has ended already."

__all__ = [
    "SEEN_EVERY",
    "end_api_sign_in",
    "end_other_browser_sessions",
    "end_others",
    "end_session",
    "note_session",
]


def note_session(*, user: User, key: str, ip: str = "", user_agent: str = "") -> None:
    """Remember that the session ``key`` of ``user`` is in use, and from where."""
    now = timezone.now()
    seen = {"last_seen_at": now, "ip": ip or None, "user_agent": user_agent[:300]}
    rows = BrowserSession.objects.filter(session_id=key)
    before = rows.values_list("last_seen_at", flat=True).first()
    if before is not None:
        if before < now - SEEN_EVERY:
            rows.update(**seen)
    # It may have been ended a moment ago, from another browser.
    elif Session.objects.filter(pk=key).exists():
        with suppress(IntegrityError), transaction.atomic():
            BrowserSession(session_id=key, user=user, **seen).save()


@transaction.atomic
def end_session(*, user: User, session_id: int, ip: str = "") -> None:
    """End one session of the person; whoever uses it is signed out with their next click."""
    row = BrowserSession.objects.filter(user=user, pk=session_id).first()
    if row is None:
        raise Conflict(_ENDED)
    Session.objects.filter(pk=row.session_id).delete()
    record_session(
        user=user,
        action=AuditAction.SESSIONS_ENDED,
        ip=ip,
        changes={"session": [str(described(row.user_agent)), None]},
    )


@transaction.atomic
def end_others(*, user: User, keep: str, ip: str = "") -> int:
    """End every session of the person but the one with the key ``keep``, API sign-ins included; how many."""
    families = live_families(user).count()
    revoke_families_of(user=user, ip=ip)
    ended = end_other_browser_sessions(user=user, keep=keep) + families
    if ended:
        record_session(
            user=user, action=AuditAction.SESSIONS_ENDED, ip=ip, changes={"sessions": [ended, 0]}
        )
    return ended


def end_other_browser_sessions(*, user: User, keep: str) -> int:
    """Without a word in the log: for changes that end them anyway, such as that of the password."""
    rows = BrowserSession.objects.filter(user=user).exclude(session_id=keep)
    keys = list(rows.values_list("session_id", flat=True))
    Session.objects.filter(pk__in=keys).delete()
    return len(keys)


@transaction.atomic
def end_api_sign_in(*, user: User, family_id: int, ip: str = "") -> None:
    """End one API sign-in of the person; its tokens stop working at once."""
    family = live_families(user).filter(pk=family_id).first()
    if family is None:
        raise Conflict(_ENDED)
    revoke_family(family=family, actor=Actor.member(family.membership, ip=ip))


def live_families(user: User) -> QuerySet[TokenFamily]:
    """The API sign-ins of a person that still work, in whichever organization."""
    rows: QuerySet[TokenFamily] = TokenFamily.all_organizations.filter(
        membership__user=user, revoked_at__isnull=True, expires_at__gt=timezone.now()
    )
    return rows.select_related("organization", "membership__user", "membership__organization")
