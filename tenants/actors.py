"""Who acts: a person, an API key, a schedule or an operator, with the rights they carry."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from common.access import ROLE_PERMISSIONS, Permission, Role, denied
from common.scoping import OrganizationOwned
from tenants.grants import Grants
from tenants.scopes import allowed_by, scope_denied

if TYPE_CHECKING:
    from tenants.models import ApiKey, Membership, User


@dataclass(frozen=True)
class Actor:
    """Passed to every service; the audit log keeps its kind, label, identifier and address."""

    kind: str
    label: str
    role: Role
    identifier: str = ""
    ip: str = ""
    #: What the scopes of a key leave of the role; None is all of it.
    allowed: frozenset[Permission] | None = None
    #: What was shared with the person; machines have nothing but their role.
    grants: Grants | None = field(default=None, compare=False, repr=False)
    #: Where the role holds; None for those who act for the whole installation.
    organization_id: int | None = None

    @classmethod
    def member(cls, membership: "Membership", *, ip: str = "") -> "Actor":
        user, place = membership.user, membership.organization_id
        role, grants = Role(membership.role), Grants(user.pk, place)
        return cls("user", user.display_name, role, str(user.pk), ip, None, grants, place)

    @classmethod
    def api_key(cls, key: "ApiKey", *, ip: str = "") -> "Actor":
        allowed = allowed_by(key.scopes)
        label, place = f"API key {key.name}", key.organization_id
        return cls("api_key", label, Role(key.role), str(key.pk), ip, allowed, None, place)

    @classmethod
    def schedule(cls, name: str, identifier: int) -> "Actor":
        return cls("schedule", f"Schedule {name}", Role.EDITOR, str(identifier))

    @classmethod
    def operator(cls, user: "User | None" = None, *, ip: str = "") -> "Actor":
        """The command line, or a person in the Django admin."""
        label = f"{user.display_name} (operator)" if user else "Command line"
        return cls("operator", label, Role.OWNER, str(user.pk) if user else "", ip)

    @classmethod
    def unknown(cls, label: str, *, ip: str = "") -> "Actor":
        """Somebody who gave this name and proved nothing, such as at a failed sign-in."""
        return cls("unknown", label, Role.GUEST, "", ip)

    @property
    def permissions(self) -> frozenset[Permission]:
        rights = ROLE_PERMISSIONS[self.role]
        return rights if self.allowed is None else rights & self.allowed

    @property
    def has_grants(self) -> bool:
        return self.grants is not None and self.grants.exist

    def can(
        self,
        permission: Permission,
        on: OrganizationOwned | Iterable[OrganizationOwned] | None = None,
    ) -> bool:
        """Whether the role allows it, or what was shared with the person allows it on each of these."""
        things = _things(on)
        if any(self._is_elsewhere(thing) for thing in things):
            return False
        if permission in self.permissions:
            return True
        if self.grants is None or not things or not self._is_in_scope(permission):
            return False
        return all(permission in self.grants.allow(one) for one in things)

    def require(
        self,
        permission: Permission,
        on: OrganizationOwned | Iterable[OrganizationOwned] | None = None,
        *,
        grantable: bool = False,
    ) -> None:
        """Raise ``PermissionDenied`` unless allowed, naming the role that would do.

        ``grantable`` lets it say that sharing would do as well, where ``on`` does not tell.
        """
        things = _things(on)
        if self.can(permission, things):
            return
        if permission in ROLE_PERMISSIONS[self.role] and not self._is_in_scope(permission):
            raise scope_denied(permission)
        raise denied(permission, self.role, grantable=grantable or bool(things))

    def _is_in_scope(self, permission: Permission) -> bool:
        return self.allowed is None or permission in self.allowed

    def _is_elsewhere(self, thing: OrganizationOwned) -> bool:
        """A role says nothing about what belongs to another organization."""
        place = self.organization_id
        return place is not None and thing.organization_id != place


def _things(
    on: OrganizationOwned | Iterable[OrganizationOwned] | None,
) -> tuple[OrganizationOwned, ...]:
    if on is None:
        return ()
    return (on,) if isinstance(on, OrganizationOwned) else tuple(on)
