"""The frame of every page: organization, navigation, counts, theme."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from alerts.selectors import told_incidents
from common import scope
from common.access import Permission
from common.counting import counts_of
from common.ui.shell import Shell, ShellMembership, build_goto, build_nav
from connections.models import Connection
from orchestration.models import IS_ACTIVE, Run, Schedule
from pipelines.models import Pipeline
from tenants.actors import Actor
from tenants.models import Membership, Organization, User
from tenants.selectors import platform_settings
from transforms.models import Transformation

THEMES = ("light", "dark")

#: Key of a place → URL name, and the permission without which it is absent.
_PLACES: dict[str, tuple[str, Permission]] = {
    "overview": ("orchestration:overview", Permission.VIEW),
    "runs": ("orchestration:run-list", Permission.VIEW),
    "connections": ("connections:connection-list", Permission.VIEW),
    "pipelines": ("pipelines:pipeline-list", Permission.VIEW),
    "transformations": ("transforms:transformation-list", Permission.VIEW),
    "lineage": ("orchestration:lineage", Permission.VIEW),
    "schedules": ("orchestration:schedule-list", Permission.VIEW),
    "alerts": ("alerts:rule-list", Permission.VIEW),
    "members": ("tenants:member-list", Permission.VIEW),
    "api-keys": ("tenants:api-key-list", Permission.VIEW_API_KEYS),
    "audit": ("audit:event-list", Permission.VIEW_AUDIT),
    "settings": ("tenants:settings", Permission.MANAGE_ORGANIZATION),
}


def shell(request: HttpRequest) -> dict[str, Any]:
    """``shell`` for base.html; outside an organization only the theme."""
    cookie = request.COOKIES.get("theme", "")
    frame: dict[str, Any] = {
        "theme": cookie if cookie in THEMES else "",
        "theme_url": reverse("theme"),
        "hotkeys": True,
        "banner": platform_settings().banner,
    }
    organization = getattr(request, "organization", None)
    if organization is None or not request.user.is_authenticated:
        return {"shell": frame, "show_kit": settings.SHOW_KIT}
    actor: Actor = request.actor  # type: ignore[attr-defined]
    user = request.user
    urls = _urls(organization, actor)
    full: Shell = {
        **frame,  # type: ignore[typeddict-item]
        "organization": {
            "name": organization.name,
            "slug": organization.slug,
            "mark": organization.initials,
            "url": urls.get("overview") or urls["shared"],
        },
        "role": actor.role.title(),
        "memberships": _memberships(user, organization),
        "new_organization_url": reverse("tenants:organization-create"),
        "nav": build_nav(
            urls,
            {} if "shared" in urls else _counts(organization),
            {"runs": "run", "alerts": "bad"},
        ),
        "active": _active(request),
        "user": {
            "name": user.display_name,
            "email": user.email,
            "initials": user.initials,
            "account_url": reverse("tenants:account"),
            "sign_out_url": reverse("account_logout"),
        },
        "goto": build_goto(urls),
        "palette_url": ""
        if "shared" in urls
        else reverse("orchestration:palette", args=[organization.slug]),
    }
    # A guest is shown no way to lists that would refuse them.
    sees_all = actor.can(Permission.VIEW)
    return {"shell": full, "actor": actor, "organization": organization, "sees_all": sees_all}


def _urls(organization: Organization, actor: Actor) -> dict[str, str]:
    if not actor.can(Permission.VIEW):
        # A guest has one place; what else there is, and how much of it, is not told.
        return {"shared": reverse("tenants:shared-list", args=[organization.slug])}
    return {
        key: reverse(name, args=[organization.slug])
        for key, (name, permission) in _PLACES.items()
        if actor.can(permission)
    }


def _memberships(user: User, organization: Organization) -> list[ShellMembership]:
    rows = Membership.all_organizations.filter(user=user).select_related("organization")
    with scope.everywhere():
        found = list(rows.order_by("organization__name"))
    return [
        {
            "name": row.organization.name,
            "url": reverse("orchestration:overview", args=[row.organization.slug]),
            "role": row.role.title(),
            "current": row.organization_id == organization.pk,
        }
        for row in found
    ]


def _counts(organization: Organization) -> dict[str, int]:
    runs = Run.objects.for_organization(organization)
    counts = counts_of(
        {
            "connections": Connection.objects.for_organization(organization).order_by(),
            "pipelines": Pipeline.objects.for_organization(organization).order_by(),
            "transformations": Transformation.objects.for_organization(organization).order_by(),
            "schedules": Schedule.objects.for_organization(organization).order_by(),
            "runs": runs.filter(IS_ACTIVE).order_by(),
            "alerts": told_incidents(organization).order_by(),
        }
    )
    # What goes on and what needs attention is told only where there is some.
    return {key: n for key, n in counts.items() if n or key not in ("runs", "alerts")}


def _active(request: HttpRequest) -> str:
    """The place whose pages begin like this one: the path segment after the organization."""
    parts = request.path.split("/")
    segment = parts[3] if len(parts) > 3 else ""
    return segment or "overview"
