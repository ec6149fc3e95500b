"""Who may do what: the permissions, the roles that carry them, and the decorator that asks.

This is the one table of rights. Views, the API, the admin and the commands all read it, and the tables of
docs/roles.md are made of it.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponseBase

from common.errors import PermissionDenied

if TYPE_CHECKING:
    from common.scoping import OrganizationOwned
    from tenants.actors import Actor
    from tenants.models import Membership, Organization

P = ParamSpec("P")


class Role(StrEnum):
    """Roles of a membership, the strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"
    #: Sees only what was shared with them.
    GUEST = "guest"


class Permission(StrEnum):
    """What may be done in an organization."""

    BELONG = "belong"
    VIEW = "view"
    RUN = "run"
    EDIT = "edit"
    VIEW_API_KEYS = "view_api_keys"
    MANAGE_API_KEYS = "manage_api_keys"
    VIEW_AUDIT = "view_audit"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_ORGANIZATION = "manage_organization"
    OWN_ORGANIZATION = "own_organization"


#: In the words of the documentation.
PERMISSION_WORDS: dict[Permission, str] = {
    Permission.BELONG: "See what was shared with them, and leave",
    Permission.VIEW: "See everything that is built, its runs, logs and members",
    Permission.RUN: "Start, cancel and repeat runs and backfills, test connections",
    Permission.EDIT: "Create, change, delete and restore what is built",
    Permission.VIEW_API_KEYS: "See API keys (editors: their own)",
    Permission.MANAGE_API_KEYS: "Make, rotate and revoke API keys, up to their own role",
    Permission.VIEW_AUDIT: "Read and export the audit log",
    Permission.MANAGE_MEMBERS: "Invite, change and remove members up to their own role; share single things",
    Permission.MANAGE_ORGANIZATION: "Change settings of the organization, empty the trash",
    Permission.OWN_ORGANIZATION: "Hand over, delete and restore the organization",
}

_GUEST = frozenset({Permission.BELONG})
_VIEWER = _GUEST | {Permission.VIEW}
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
    Role.GUEST: _GUEST,
    Role.VIEWER: _VIEWER,
    Role.EDITOR: _EDITOR,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN | {Permission.OWN_ORGANIZATION},
}

#: Weakest first, so that a comparison of positions compares strength.
ROLE_ORDER: tuple[Role, ...] = (Role.GUEST, Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER)

#: What one person may be given on one connection or pipeline, and what each grant allows there.
GRANTS: dict[Permission, frozenset[Permission]] = {
    Permission.VIEW: frozenset({Permission.VIEW}),
    Permission.RUN: frozenset({Permission.VIEW, Permission.RUN}),
    Permission.EDIT: frozenset({Permission.VIEW, Permission.RUN, Permission.EDIT}),
}


def is_at_least(role: Role, other: Role) -> bool:
    """Whether ``role`` is as strong as ``other``."""
    return ROLE_ORDER.index(role) >= ROLE_ORDER.index(other)


class OrganizationRequest(HttpRequest):
    """A request below ``/o/<organization>/``; the tenants middleware sets these three."""

    organization: "Organization"
    membership: "Membership | None"
    actor: "Actor"


#: From the arguments of a request to the objects it is about; none where they are not there or cannot be shared.
Finder = Callable[["Organization", Mapping[str, Any]], "Iterable[OrganizationOwned]"]
_finders: dict[str, Finder] = {}


def register_grantable(kind: str, finder: Finder) -> None:
    """Called in an ``AppConfig.ready`` for each ``grantable`` that views name."""
    _finders[kind] = finder


def granted_objects(
    kind: str, organization: "Organization", arguments: Mapping[str, Any]
) -> "tuple[OrganizationOwned, ...]":
    """What a request is about, for ``Actor.require(…, on=…)``."""
    return tuple(_finders[kind](organization, arguments)) if kind else ()


def requires(
    permission: Permission, *, grantable: str = ""
) -> Callable[
    [Callable[Concatenate[OrganizationRequest, P], HttpResponseBase]],
    Callable[Concatenate[Any, P], HttpResponseBase],
]:
    """Let only actors with ``permission`` into the view; the others get a 403 that says why.

    With ``grantable`` (a kind of ``register_grantable``) those too who were given it on the object that the request is
    about. For others a missing object and one of somebody else are the same 403.
    """

    def decorate(
        view: Callable[Concatenate[OrganizationRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[Any, P], HttpResponseBase]:
        @wraps(view)
        def guarded(request: Any, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            objects: tuple[OrganizationOwned, ...] = ()
            if grantable and not request.actor.can(permission) and request.actor.has_grants:
                # The address names the object before anything that was typed can.
                arguments = {**request.GET.dict(), **request.POST.dict(), **kwargs}
                objects = granted_objects(grantable, request.organization, arguments)
            request.actor.require(permission, on=objects, grantable=bool(grantable))
            return view(request, *args, **kwargs)

        guarded.required_permission = permission  # type: ignore[attr-defined]
        guarded.grantable = grantable  # type: ignore[attr-defined]
        return cast(Callable[Concatenate[Any, P], HttpResponseBase], guarded)

    return decorate


def denied(permission: Permission, role: str, *, grantable: bool = False) -> PermissionDenied:
    """The refusal, naming the weakest role that would do."""
    enough = next(r for r in ROLE_ORDER if permission in ROLE_PERMISSIONS[r])
    shared = ", or to share this one with you" if grantable else ""
    error = PermissionDenied(
        f"The role {role} does not allow this.",
        remedy=f"Ask an owner or admin of the organization for the role {enough}{shared}.",
    )
    error.permission = permission
    return error
