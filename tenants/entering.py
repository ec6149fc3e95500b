"""Notes which organizations operators look into: whatever page of the Django admin shows one row of them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from common.scoping import OrganizationOwned
from tenants.admin_base import operator
from tenants.models import Organization
from tenants.services import note_entry


class OperatorEntryMiddleware:
    """Lists show names and states of the whole installation; a page of one row shows what an organization keeps."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        match = request.resolver_match
        if match is None or "admin" not in match.app_names or "object_id" not in kwargs:
            return
        user: Any = request.user
        if not (user.is_authenticated and user.is_active and user.is_staff):
            return
        row = _row_of(match.url_name or "", kwargs["object_id"])
        organization = row if isinstance(row, Organization) else getattr(row, "organization", None)
        if isinstance(organization, Organization):
            page = f"{row._meta.verbose_name} {row}" if row else ""
            note_entry(organization=organization, actor=operator(request), page=page)


def _row_of(url_name: str, object_id: str) -> Model | None:
    """The row of an organization that a page of the admin is about."""
    wanted = url_name.rpartition("_")[0]
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        if name == wanted and issubclass(model, Organization | OrganizationOwned):
            try:
                key = model._meta.pk.to_python(unquote(object_id))
            except ValidationError:
                return None
            return model._default_manager.filter(pk=key).first()
    return None
