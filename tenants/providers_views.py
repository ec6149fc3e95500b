"""Signing in with an account of somebody else: the way there, the way back, and the links on the account page."""

from typing import Any, cast

import requests
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import get_random_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.errors import NotFound, UserError
from common.http import client_ip, say, warn
from tenants.models import ProviderKind, User
from tenants.providers import PROBLEM_KEY, nonce_of, oauth_adapter, refused
from tenants.services.sign_ins import unlink_sign_in

#: What a server that does not keep to the protocol makes of us.
_STRANGE = (KeyError, TypeError, ValueError, OAuth2Error, requests.RequestException,
            ImproperlyConfigured)  # fmt: skip


@never_cache
@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Send the browser to the provider.

    With a page that goes on by itself, not a redirect: the policy of our pages lets forms go to ourselves only, and
    browsers hold every redirect after a form to it, wherever the provider sends people next.
    """
    provider = _provider(request, slug)
    linking = request.POST.get("process") == "connect" and request.user.is_authenticated
    state_id = get_random_string(32)
    try:
        answer = provider.redirect(
            request,
            process="connect" if linking else "login",
            next_url=_next(request),
            data={"user": request.user.pk} if linking else None,
            state_id=state_id,
            auth_params=_parameters(provider.id, state_id),
        )
    except UserError as error:
        return refused(request, error.message, _("Try again later, or ask the operator."))
    except _STRANGE:
        return refused(request, *_no_answer(provider.name))
    context = {"name": provider.name, "address": answer.headers["Location"]}
    return render(request, "socialaccount/go.html", context)


@never_cache
@require_GET
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    provider = _provider(request, provider_id)
    adapter = oauth_adapter(provider.id, provider_id, request)
    try:
        answer: HttpResponse = OAuth2CallbackView.adapter_view(adapter)(request)
    except UserError as error:
        return refused(request, error.message, _("Try again later, or ask the operator."))
    except _STRANGE:
        return refused(request, *_no_answer(provider.name))
    return answer


@never_cache
@require_GET
def cancelled(request: HttpRequest) -> HttpResponse:
    return render(request, "socialaccount/login_cancelled.html")


@never_cache
@require_GET
def error(request: HttpRequest) -> HttpResponse:
    """The sentence that waits in the session; shown once, a reload knows only that it did not work."""
    problem = request.session.pop(PROBLEM_KEY, None)
    context = {"problem": problem}
    status = 403 if problem else 401
    return render(request, "socialaccount/authentication_error.html", context, status=status)


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def connections(request: HttpRequest) -> HttpResponse:
    """What is linked to one's account; POST ``account`` unlinks."""
    if request.method == "POST":
        try:
            name = unlink_sign_in(
                user=cast(User, request.user),
                account_id=_number(request.POST.get("account", "")),
                ip=client_ip(request),
            )
        except UserError as problem:
            warn(request, str(problem))
        else:
            say(request, _("%(name)s is unlinked.") % {"name": name})
        return redirect("socialaccount_connections")
    return render(request, "socialaccount/connections.html")


def _provider(request: HttpRequest, slug: str) -> Any:
    try:
        return get_adapter(request).get_provider(request, slug)
    except SocialApp.DoesNotExist:
        raise NotFound(_("There is no such sign-in here.")) from None


def _parameters(kind: str, state_id: str) -> dict[str, str]:
    if kind == ProviderKind.GITHUB.value:
        return {}
    parameters = {"nonce": nonce_of(state_id)}
    if kind == ProviderKind.GOOGLE.value:
        parameters["prompt"] = "select_account"
    return parameters


def _next(request: HttpRequest) -> str | None:
    wanted = request.POST.get("next", "")
    secure = request.is_secure()
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=secure)
    return wanted if ours else None


def _no_answer(name: str) -> tuple[str, str]:
    return (
        _("%(name)s did not answer as expected.") % {"name": name},
        _("Try again later, or ask the operator."),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
