"""Who acts: a person, an API key, a schedule or an operator, with the rights they carry."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.access import ROLE_PERMISSIONS, Permission, Role, denied
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

    @classmethod
    def member(cls, membership: "Membership", *, ip: str = "") -> "Actor":
        user = membership.user
        return cls("user", user.display_name, Role(membership.role), str(user.pk), ip)

    @classmethod
    def api_key(cls, key: "ApiKey", *, ip: str = "") -> "Actor":
        allowed = allowed_by(key.scopes)
        return cls("api_key", f"API key {key.name}", Role(key.role), str(key.pk), ip, allowed)

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
        return cls("unknown", label, Role.VIEWER, "", ip)

    @property
    def permissions(self) -> frozenset[Permission]:
        rights = ROLE_PERMISSIONS[self.role]
        return rights if self.allowed is None else rights & self.allowed

    def can(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise ``PermissionDenied``, naming the role that would do, unless allowed."""
        if not self.can(permission):
            by_role = permission in ROLE_PERMISSIONS[self.role]
            raise scope_denied(permission) if by_role else denied(permission, self.role)
