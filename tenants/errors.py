from common.errors import Conflict, NotFound, PermissionDenied, UserError


class LastOwner(Conflict):
    """An organization keeps at least one owner."""

    code = "last_owner"


class AlreadyMember(Conflict):
    """This person is a member already."""

    code = "already_member"


class RoleTooHigh(PermissionDenied):
    """Nobody gives a role above their own."""

    code = "role_too_high"


class InvitationUnusable(NotFound):
    """This invitation has expired, was revoked or was used already."""

    code = "invitation_unusable"


class SetUpAlready(NotFound):
    """This installation has its first owner already."""

    code = "set_up_already"


class WeakPassword(UserError):
    """This password is too weak."""

    code = "weak_password"
