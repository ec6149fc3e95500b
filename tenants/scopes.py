"""Scopes: the few words that say what an API key is for.

A key may do what both its role and its scopes allow. A key without scopes may do all that its role may.
"""

from collections.abc import Iterable

from common.access import ROLE_PERMISSIONS, Permission, Role
from common.errors import PermissionDenied, UserError

SCOPES: dict[str, frozenset[Permission]] = {
    "read": frozenset({Permission.BELONG, Permission.VIEW}),
    "run": frozenset({Permission.RUN}),
    "write": frozenset({Permission.EDIT}),
    "keys": frozenset({Permission.VIEW_API_KEYS, Permission.MANAGE_API_KEYS}),
    "audit": frozenset({Permission.VIEW_AUDIT}),
    "manage": frozenset(
        {
            Permission.MANAGE_MEMBERS,
            Permission.MANAGE_ORGANIZATION,
            Permission.OWN_ORGANIZATION,
        }
    ),
}


def checked_scopes(words: Iterable[str]) -> list[str]:
    """The scopes, each once, in the order of ``SCOPES``; ``UserError`` for a word that is none."""
    wanted = set(words)
    if unknown := sorted(wanted - SCOPES.keys()):
        raise UserError(
            f"There is no scope {unknown[0]!r}.",
            field="scopes",
            remedy=f"Use {', '.join(SCOPES)}, or none for everything the role may do.",
        )
    return [word for word in SCOPES if word in wanted]


def allowed_by(scopes: Iterable[str]) -> frozenset[Permission] | None:
    """What the scopes leave of any role; None, where there are none, is all of it.

    A word that this version does not know allows nothing.
    """
    words = list(scopes)
    if not words:
        return None
    return frozenset().union(*(SCOPES.get(word, frozenset()) for word in words))


def permissions_of(role: Role, scopes: Iterable[str]) -> frozenset[Permission]:
    """What a key with this role and these scopes may do."""
    rights, allowed = ROLE_PERMISSIONS[role], allowed_by(scopes)
    return rights if allowed is None else rights & allowed


def scopes_of(permission: Permission) -> list[str]:
    """The scopes that carry a permission."""
    return [word for word, permissions in SCOPES.items() if permission in permissions]


def scope_denied(permission: Permission) -> PermissionDenied:
    """The refusal for a key whose role would do, but not its scopes."""
    error = PermissionDenied(
        "The scopes of this API key do not allow this.",
        remedy=f"Use a key with the scope {' or '.join(scopes_of(permission))}.",
    )
    error.permission = permission
    return error
