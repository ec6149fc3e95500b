"""Whether a provider is there and knows our client, without anybody signing in."""

from typing import Any

import requests
from allauth.socialaccount.adapter import get_adapter
from django.http import HttpRequest

from common.errors import UserError
from tenants.models import IdentityProvider
from tenants.providers import app_of, oauth_adapter

#: What a token endpoint says when only the code is wrong: it knows the client.
_KNOWN = frozenset({"invalid_grant", "bad_verification_code", "invalid_request"})


def check_provider(provider: IdentityProvider, request: HttpRequest) -> None:
    """Read the discovery document and offer a code nobody gave out; ``UserError`` says what is wrong."""
    app = app_of(provider)
    adapter = _adapter(provider, request, app)
    client = adapter.get_client(request, app)
    fields = {
        "grant_type": "authorization_code",
        "code": "a-check-of-the-client",
        "redirect_uri": client.callback_url,
        "code_verifier": "0" * 43,
    }
    basic = (app.client_id, app.secret) if adapter.basic_auth else None
    if basic is None:
        fields |= {"client_id": app.client_id, "client_secret": app.secret}
    try:
        with get_adapter(request).get_requests_session() as session:
            reply = session.post(
                adapter.access_token_url,
                data=fields,
                auth=basic,
                headers={"Accept": "application/json"},
            )
            said = str(reply.json().get("error", ""))
    except (requests.RequestException, ValueError, AttributeError):
        raise UserError(
            "The token endpoint does not answer as expected.",
            remedy="Check the network of this installation and the address of the server.",
        ) from None
    if said not in _KNOWN:
        raise UserError(
            f"The provider refuses the client: {said[:80] or reply.status_code}.",
            field="client_secret",
            remedy="Copy client id and client secret from the provider again.",
        )


def _adapter(provider: IdentityProvider, request: HttpRequest, app: object) -> Any:
    adapter = oauth_adapter(provider.kind, provider.slug, request)
    # It may be switched off, or not be saved yet: allauth would not find it.
    adapter.get_provider = lambda: _Bare(app)
    return adapter


class _Bare:
    def __init__(self, app: object) -> None:
        self.app = app
