"""The doors at which credentials are tried, and how often that may happen.

The rates stand in ``ACCOUNT_RATE_LIMITS``; the counters are allauth's, so pages and API count together. A rate
is per ``ip``, per signed-in ``user``, or per ``key``: the account, invitation or link that is tried. Known and
unknown addresses are counted alike.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

_APP = "allauth.account"


@dataclass(frozen=True)
class Door:
    """``routes`` are the names of its URLs, ``actions`` those of the rates that hold there."""

    label: str | Promise
    routes: tuple[str, ...]
    actions: tuple[str, ...]


DOORS = (
    Door(gettext_lazy("Sign in"), ("account_login",), ("login", "login_failed")),
    Door(gettext_lazy("Tokens of the API"), ("api-token-create",), ("login", "login_failed")),
    Door(gettext_lazy("Refresh tokens"), ("api-token-refresh", "api-token-revoke"), ("exchange",)),
    Door(
        gettext_lazy("Second factor"),
        ("mfa_authenticate",),
        ("login_failed",),
    ),
    Door(gettext_lazy("Sign up"), ("account_signup",), ("signup",)),
    Door(
        gettext_lazy("Another confirmation mail"),
        ("account_email_verification_sent", "account_verify"),
        ("confirm_email",),
    ),
    Door(
        gettext_lazy("Link that confirms an address"),
        ("account_confirm_email", "account_email_confirm"),
        ("link", "login_failed"),
    ),
    Door(gettext_lazy("Forgotten password"), ("account_reset_password",), ("reset_password",)),
    Door(
        gettext_lazy("Link of a forgotten password"),
        ("account_reset_password_from_key",),
        ("reset_key", "reset_password_from_key"),
    ),
    Door(gettext_lazy("Invitation"), ("invitation-accept",), ("invitation",)),
    Door(
        gettext_lazy("Change of the password"),
        ("account_change_password",),
        ("change_password", "login_failed"),
    ),
    Door(
        gettext_lazy("Change of the address"),
        ("account_email",),
        ("manage_email", "login_failed"),
    ),
    Door(
        gettext_lazy("Password again, before something important"),
        ("account_reauthenticate", "mfa_reauthenticate"),
        ("reauthenticate", "login_failed"),
    ),
    Door(gettext_lazy("API keys and access tokens, wrong ones"), (), ("api_key",)),
)


def rates_of(action: str) -> list[ratelimit.Rate]:
    rates: list[ratelimit.Rate] = ratelimit.get_rates(app=_APP, action=action)
    return rates


def knock(request: HttpRequest, action: str, *, key: str = "") -> int:
    """Count one attempt, whatever the method; the seconds to wait when it is one too many, else 0."""
    allowed = ratelimit.consume(request, app=_APP, action=action, key=key.lower(), limit_get=True)
    return 0 if allowed else wait_of(request, action, key=key)


def wait_of(request: HttpRequest, action: str, *, key: str = "") -> int:
    """Seconds until the next attempt is let in; at least one."""
    now, until = time.time(), 0.0
    for rate in rates_of(action):
        if rate.per == "key" and not key:
            continue
        if rate.per == "user" and not request.user.is_authenticated:
            continue
        name = ratelimit.get_cache_key(
            request, app=_APP, action=action, rate=rate, key=key.lower() or None
        )
        # Newest first. Room is made when the oldest of those that fill the rate is old enough.
        live = [at for at in cache.get(name, []) if at > now - rate.duration]
        if len(live) >= rate.amount:
            until = max(until, live[rate.amount - 1] + rate.duration)
    return max(1, math.ceil(until - now))


def in_words(seconds: int) -> str:
    """“2 minutes”, never less than there is to wait."""
    if seconds <= 90:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    minutes = math.ceil(seconds / 60)
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


def too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    """The page of a door that is shut for a while."""
    wait = in_words(seconds)
    remedy = _(
        "Wait %(wait)s, then try again. The limit keeps accounts from being guessed and mailboxes from being flooded."
    ) % {"wait": wait}
    response = render(request, "429.html", {"remedy": remedy}, status=429)
    response["Retry-After"] = str(seconds)
    return response


def shut(response: HttpResponse, request: HttpRequest, form: BaseForm, key: str) -> HttpResponse:
    """``response`` with the form, as 429 when it was refused because of too many failed attempts for ``key``."""
    if form.is_bound and any(
        "too_many_login_attempts" in codes_of(form, name) for name in form.errors
    ):
        response.status_code = 429
        response["Retry-After"] = str(wait_of(request, "login_failed", key=key))
    return response


def refused(view: Any, form: BaseForm, key: str = "") -> HttpResponse:
    """The page of one of allauth's views with what was wrong, 422 or 429; ``key`` is by what failed attempts count."""
    response: HttpResponse = view.render_to_response(view.get_context_data(form=form), status=422)
    return shut(response, view.request, form, key)


def codes_of(form: BaseForm, name: str) -> set[str]:
    return {str(error.code) for error in form.errors[name].as_data()}


def handler429(request: HttpRequest) -> HttpResponse:
    """What allauth's own limits answer with (``ROOT_URLCONF``)."""
    name = request.resolver_match.url_name if request.resolver_match else ""
    posted = request.POST.get("login") or request.POST.get("email") or ""
    actions = [action for door in DOORS if name in door.routes for action in door.actions]
    waits = [wait_of(request, action, key=posted.strip()) for action in actions]
    return too_many(request, max(waits, default=60))
