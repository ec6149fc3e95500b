"""Pages of the API keys below ``/o/<organization>/api-keys/``."""

from dataclasses import dataclass
from typing import cast

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, Role, is_at_least, requires
from common.errors import DatanikaError
from common.http import get_or_404, say
from tenants import selectors, services
from tenants.actors import Actor
from tenants.api_key_forms import SCOPE_WORDS, ApiKeyForm, ApiKeyRotateForm
from tenants.forms import put_error
from tenants.models import ApiKey, User


@dataclass(frozen=True)
class KeyRow:
    key: ApiKey
    state: str
    can_revoke: bool

    @property
    def can_rotate(self) -> bool:
        return self.can_revoke and self.state == "active"

    @property
    def dialog(self) -> str:
        return f"revoke-{self.key.pk}"

    @property
    def scopes(self) -> str:
        """In the words of the pages; nothing where the role alone decides."""
        words = [str(SCOPE_WORDS[w][0]) for w in self.key.scopes if w in SCOPE_WORDS]
        return ", ".join(words)

    @property
    def is_overlapping(self) -> bool:
        """Whether the text before the rotation still works."""
        until = self.key.previous_expires_at
        return until is not None and until > timezone.now() and self.state == "active"


def _row(key: ApiKey, actor: Actor) -> KeyRow:
    state = selectors.key_state(key)
    allowed = actor.can(Permission.MANAGE_API_KEYS) and is_at_least(actor.role, Role(key.role))
    return KeyRow(key, state, allowed and state != "revoked")


def _key(request: OrganizationRequest, pk: int) -> ApiKey:
    return get_or_404(selectors.api_keys_of(request.organization, request.actor), pk=pk)


@require_GET
@requires(Permission.VIEW_API_KEYS)
def api_key_list(request: OrganizationRequest) -> HttpResponse:
    actor = request.actor
    context = {
        "rows": [_row(key, actor) for key in selectors.api_keys_of(request.organization, actor)],
        "can_create": actor.can(Permission.MANAGE_API_KEYS),
        "sees_all": is_at_least(actor.role, Role.ADMIN),
    }
    return render(request, "tenants/api_key_list.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
@requires(Permission.MANAGE_API_KEYS)
def api_key_create(request: OrganizationRequest) -> HttpResponse:
    """Answers a POST with the key itself: it is nowhere to be read afterwards."""
    form = ApiKeyForm(request.POST or None, actor=request.actor)
    if form.is_valid():
        data = form.cleaned_data
        try:
            key, text = services.issue_api_key(
                organization=request.organization,
                name=data["name"],
                role=Role(data["role"]),
                scopes=data["scopes"],
                days=data["days"],
                actor=request.actor,
                created_by=cast(User, request.user),
            )
        except DatanikaError as error:
            put_error(form, error)
        else:
            return _shown_once(request, key, text)
    status = 422 if request.method == "POST" else 200
    return render(request, "tenants/api_key_create.html", {"form": form}, status=status)


@never_cache
@require_http_methods(["GET", "POST"])
@requires(Permission.MANAGE_API_KEYS)
def api_key_rotate(request: OrganizationRequest, pk: int) -> HttpResponse:
    """Answers a POST with the new text: it is nowhere to be read afterwards."""
    key = _key(request, pk)
    form = ApiKeyRotateForm(request.POST or None)
    if form.is_valid():
        try:
            key, text = services.rotate_api_key(
                key=key,
                actor=request.actor,
                overlap_days=form.cleaned_data["overlap_days"],
                days=form.cleaned_data["days"],
            )
        except DatanikaError as error:
            put_error(form, error)
        else:
            return _shown_once(request, key, text)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "key": key}
    return render(request, "tenants/api_key_rotate.html", context, status=status)


def _shown_once(request: OrganizationRequest, key: ApiKey, text: str) -> HttpResponse:
    address = request.build_absolute_uri(
        reverse("api-organization-list") + f"{request.organization.slug}/pipelines/"
    )
    context = {
        "key": key,
        "row": _row(key, request.actor),
        "text": text,
        "example": f'curl -H "Authorization: Bearer {text}" \\\n  {address}',
    }
    return render(request, "tenants/api_key_created.html", context)


@require_POST
@requires(Permission.MANAGE_API_KEYS)
def api_key_revoke(request: OrganizationRequest, pk: int) -> HttpResponse:
    key = _key(request, pk)
    services.revoke_api_key(key=key, actor=request.actor)
    say(request, f"The key {key.name} is revoked.")
    return redirect("tenants:api-key-list", request.organization.slug)
