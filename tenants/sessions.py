"""The list of a person's sessions, and the middleware that keeps it up to date."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.functional import Promise

from common.http import client_ip
from tenants.models import BrowserSession, TokenFamily, User
from tenants.services.sessions import SEEN_EVERY, live_families, note_session
from tenants.user_agents import described

#: Of so many sessions this process knows when it noted them; a greater number begins anew.
_MOST_KNOWN = 10_000


@dataclass(frozen=True)
class BrowserRow:
    session: BrowserSession
    is_this_one: bool

    @property
    def browser(self) -> str | Promise:
        return described(self.session.user_agent)


@dataclass(frozen=True)
class ApiRow:
    family: TokenFamily

    @property
    def program(self) -> str | Promise:
        return described(self.family.user_agent)


def browser_sessions_of(user: User, current: str | None) -> list[BrowserRow]:
    """Those with which somebody is signed in; the one with the key ``current`` first."""
    rows = BrowserSession.objects.filter(user=user, session__expire_date__gt=timezone.now())
    good = [row for row in rows.select_related("session") if _is_good(row, user)]
    found = [BrowserRow(row, row.session_id == current) for row in good]
    return sorted(found, key=lambda row: not row.is_this_one)


def api_sign_ins_of(user: User) -> list[ApiRow]:
    return [ApiRow(family) for family in live_families(user)]


def _is_good(row: BrowserSession, user: User) -> bool:
    """Whether the session still signs in: after a new password from elsewhere it waits for its end."""
    content = row.session.get_decoded()
    mark = str(content.get(HASH_SESSION_KEY, ""))
    marks = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return str(content.get(SESSION_KEY)) == str(user.pk) and any(
        constant_time_compare(mark, known) for known in marks
    )


class SessionsMiddleware:
    """Notes the session after the answer is made, so that it is also right after a sign-in.

    Costs nothing but a look into a dictionary while the session was noted less than five minutes ago.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._noted: dict[str, float] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        key, now = request.session.session_key, time.monotonic()
        # Who did not look into the session does not know who it is, and the answer may be cached for all.
        if key and request.session.accessed and self._is_due(key, now):
            user = request.user
            if isinstance(user, User) and request.session.get(SESSION_KEY) == str(user.pk):
                self._noted[key] = now
                note_visit(request, user)
        return response

    def _is_due(self, key: str, now: float) -> bool:
        if len(self._noted) > _MOST_KNOWN:
            self._noted.clear()
        noted = self._noted.get(key)
        return noted is None or now - noted > SEEN_EVERY.total_seconds()


def note_visit(request: HttpRequest, user: User) -> None:
    note_session(
        user=user,
        key=str(request.session.session_key),
        ip=client_ip(request),
        user_agent=request.headers.get("User-Agent", ""),
    )
