"""Who may do what: the permissions, the roles that carry them, and the decorator that asks.

This is the one table of rights. Views, the API, the admin and the commands all read it.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponseBase

from common.errors import PermissionDenied

if TYPE_CHECKING:
    from tenants.actors import Actor
    from tenants.models import Membership, Organization

P = ParamSpec("P")


class Role(StrEnum):
    """Roles of a membership, the strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What may be done in an organization."""

    VIEW = "view"
    RUN = "run"
    EDIT = "edit"
    VIEW_API_KEYS = "view_api_keys"
    MANAGE_API_KEYS = "manage_api_keys"
    VIEW_AUDIT = "view_audit"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_ORGANIZATION = "manage_organization"
    OWN_ORGANIZATION = "own_organization"


_VIEWER = frozenset({Permission.VIEW})
_EDITOR = _VIEWER | {
    Permission.RUN,
    Permission.EDIT,
    Permission.VIEW_API_KEYS,
    Permission.MANAGE_API_KEYS,
}
_ADMIN = _EDITOR | {
    Permission.VIEW_AUDIT,
    Permission.MANAGE_MEMBERS,
    Permission.MANAGE_ORGANIZATION,
}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.EDITOR: _EDITOR,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN | {Permission.OWN_ORGANIZATION},
}

#: Weakest first, so that a comparison of positions compares strength.
ROLE_ORDER: tuple[Role, ...] = (Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER)


def is_at_least(role: Role, other: Role) -> bool:
    """Whether ``role`` is as strong as ``other``."""
    return ROLE_ORDER.index(role) >= ROLE_ORDER.index(other)


class OrganizationRequest(HttpRequest):
    """A request below ``/o/<organization>/``; the tenants middleware sets these three."""

    organization: "Organization"
    membership: "Membership | None"
    actor: "Actor"


def requires(
    permission: Permission,
) -> Callable[
    [Callable[Concatenate[OrganizationRequest, P], HttpResponseBase]],
    Callable[Concatenate[Any, P], HttpResponseBase],
]:
    """Let only actors with ``permission`` into the view; the others get a 403 that says why."""

    def decorate(
        view: Callable[Concatenate[OrganizationRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[Any, P], HttpResponseBase]:
        @wraps(view)
        def guarded(request: Any, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            request.actor.require(permission)
            return view(request, *args, **kwargs)

        guarded.required_permission = permission  # type: ignore[attr-defined]
        return cast(Callable[Concatenate[Any, P], HttpResponseBase], guarded)

    return decorate


def denied(permission: Permission, role: str) -> PermissionDenied:
    """The refusal, naming the weakest role that would do."""
    enough = next(r for r in ROLE_ORDER if permission in ROLE_PERMISSIONS[r])
    return PermissionDenied(
        f"The role {role} does not allow this.",
        remedy=f"Ask an owner or admin of the organization for the role {enough}.",
    )
