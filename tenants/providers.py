"""How allauth's OAuth fits in: the providers are rows of ours, and every reply is looked at before it counts."""

import logging
from typing import Any

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from common.errors import UserError
from common.http import client_ip, say
from tenants.models import IdentityProvider, ProviderKind, User
from tenants.services.providers import is_secure_address
from tenants.services.sign_ins import Identity, ProviderSignInRefused, link_sign_in, sign_in_with

logger = logging.getLogger("datanika.providers")

#: Where the sentence for the error page waits, so that its address carries nothing.
PROBLEM_KEY = "sign_in_problem"


def nonce_of(state_id: str) -> str:
    """The nonce that goes with a state: the state is good once and in one session, so the nonce is too."""
    return salted_hmac("tenants.providers.nonce", state_id, algorithm="sha256").hexdigest()


def enabled_providers() -> list[IdentityProvider]:
    """For the buttons; an unreadable secret does not take the page away."""
    return list(IdentityProvider.objects.filter(is_enabled=True).defer("secrets"))


def app_of(provider: IdentityProvider) -> SocialApp:
    """What allauth knows of a provider; never saved."""
    own = provider.kind == ProviderKind.OPENID_CONNECT
    settings: dict[str, Any] = {"oauth_pkce_enabled": True}
    if provider.kind != ProviderKind.GITHUB:
        settings["scope"] = ["openid", "profile", "email"]
    if own:
        settings["server_url"] = provider.server_url
    return SocialApp(
        provider=provider.kind,
        provider_id=provider.slug if own else "",
        name=provider.name,
        client_id=provider.client_id,
        secret=provider.secrets.get("client_secret", ""),
        settings=settings,
    )


def refused(request: HttpRequest, title: str, remedy: str) -> HttpResponse:
    """To the error page with this sentence."""
    request.session[PROBLEM_KEY] = {"title": title, "remedy": remedy}
    return redirect("socialaccount_login_error")


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        rows = IdentityProvider.objects.filter(is_enabled=True)
        if provider:
            rows = rows.filter(slug=provider)
        if client_id:
            rows = rows.filter(client_id=client_id)
        return [app_of(row) for row in rows]

    def get_provider(self, request: HttpRequest, provider: str, client_id: Any = None) -> Any:
        found = super().get_provider(request, provider, client_id)
        found.oauth2_adapter_class = OAUTH_ADAPTERS[found.id]
        return found

    def authenticate_by_email(self, sociallogin: SocialLogin) -> None:
        """Never by allauth's rules: ``sign_in_with`` has ours."""
        return

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Newcomers are made by ``sign_in_with``; allauth's own form is not in use."""
        return False

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None,
        extra_context: Any = None,
    ) -> None:  # fmt: skip
        """The words of an exception may quote a reply with a token in it: only its kind is logged."""
        if exception is not None:
            logger.warning("sign-in with %s failed: %s", provider, type(exception).__name__)
        if error == "cancelled":
            raise ImmediateHttpResponse(redirect("socialaccount_login_cancelled"))
        raise ImmediateHttpResponse(redirect("socialaccount_login_error"))

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Decide who this is; a refusal ends at the error page."""
        identity = identity_of(sociallogin)
        try:
            if sociallogin.state.get("process") == "connect":
                raise ImmediateHttpResponse(_linked(request, sociallogin, identity))
            sociallogin.user = sign_in_with(identity=identity, ip=client_ip(request))
        except UserError as problem:
            raise ImmediateHttpResponse(refused(request, problem.message, problem.remedy)) from None


def _linked(request: HttpRequest, login: SocialLogin, identity: Identity) -> HttpResponse:
    user = request.user
    # The session may have changed hands while the person was away.
    if not isinstance(user, User) or (login.state.get("data") or {}).get("user") != user.pk:
        raise ProviderSignInRefused(
            _("You are not signed in as the person who started this."),
            remedy=_("Sign in, then link the account again."),
        )
    link_sign_in(user=user, identity=identity, ip=client_ip(request))
    say(request, _("%(name)s is linked.") % {"name": identity.provider.name})
    return redirect("socialaccount_connections")


def identity_of(login: SocialLogin) -> Identity:
    """The provider's words. An address counts when it is the primary one and plainly said to be verified."""
    provider = IdentityProvider.objects.get(slug=login.account.provider, is_enabled=True)
    email = next(
        (a.email.lower() for a in login.email_addresses if a.primary and a.verified is True), ""
    )
    said = login.account.extra_data
    return Identity(
        provider, login.account.uid, email, said.get("name") or "", said.get("label") or ""
    )


class _Looked:
    """What every reply must fulfil before allauth goes on with it."""

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any
    ) -> SocialLogin:
        login: SocialLogin = super().complete_login(  # type: ignore[misc]
            request, app, token, **kwargs
        )
        said = self.check(request, login.account.extra_data)
        for address in login.email_addresses:
            # Some servers write "false", which is true to Python.
            address.verified = address.verified is True or address.verified == "true"
        label = said.get("login") or said.get("email") or said.get("preferred_username") or ""
        login.account.extra_data = {"name": str(said.get("name") or ""), "label": str(label)}
        return login

    def check(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """The facts about the person, or ``OAuth2Error``."""
        return data


def _check_nonce(request: HttpRequest, id_token: dict[str, Any]) -> None:
    wanted = nonce_of(request.GET.get("state", ""))
    if not constant_time_compare(str(id_token.get("nonce", "")), wanted):
        raise OAuth2Error("The id token answers another sign-in.")


class Google(_Looked, GoogleOAuth2Adapter):  # type: ignore[misc]
    def check(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        _check_nonce(request, data)
        return data


class GitHub(_Looked, GitHubOAuth2Adapter):  # type: ignore[misc]
    pass


class OpenIdConnect(_Looked, OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    def __init__(self, request: HttpRequest, provider_id: str) -> None:
        super().__init__(request, provider_id)
        self._openid_config_checked: dict[str, Any] | None = None

    @property
    def openid_config(self) -> dict[str, Any]:
        if self._openid_config_checked is None:
            issuer = self.get_provider().app.settings["server_url"]
            self._openid_config_checked = discover(issuer)
        return self._openid_config_checked

    def check(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        id_token, more = data.get("id_token"), data.get("userinfo") or {}
        if not id_token:
            raise OAuth2Error("The reply has no id token.")
        _check_nonce(request, id_token)
        if more and more.get("sub") != id_token.get("sub"):
            raise OAuth2Error("The facts are about somebody else.")
        return more or id_token


OAUTH_ADAPTERS = {
    ProviderKind.GOOGLE.value: Google,
    ProviderKind.GITHUB.value: GitHub,
    ProviderKind.OPENID_CONNECT.value: OpenIdConnect,
}


def oauth_adapter(kind: str, slug: str, request: HttpRequest) -> Any:
    """allauth's adapter of a provider, with our looks at its replies."""
    made = OAUTH_ADAPTERS[kind]
    return made(request, slug) if kind == ProviderKind.OPENID_CONNECT else made(request)


#: What a discovery document must name.
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
_SECONDS = 5


def discover(issuer: str) -> dict[str, Any]:
    """The discovery document of an OpenID Connect server, checked; ``UserError`` says what is wrong with it."""
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        reply = requests.get(address, timeout=_SECONDS)
        reply.raise_for_status()
        document = reply.json()
    except ValueError:
        # JSONDecodeError of requests is one; it is a RequestException as well.
        raise _unusable(f"{address} does not answer with JSON.") from None
    except requests.RequestException as error:
        raise _unusable(f"{address} cannot be read: {_words(error)}.") from None
    if not isinstance(document, dict):
        raise _unusable(f"{address} is no discovery document.")
    if str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise _unusable(f"{address} speaks for another issuer, {document.get('issuer')}.")
    for name in _ENDPOINTS:
        if not is_secure_address(str(document.get(name, ""))):
            raise _unusable(f"{address} has no {name} with https://.")
    return document


def _unusable(message: str) -> UserError:
    return UserError(message, field="server_url", remedy="Check the address of the server.")


def _words(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {_SECONDS} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    return "no connection"
