from common.errors import Conflict, NotFound, PermissionDenied, UserError


class LastOwner(Conflict):
    """An organization keeps at least one owner."""

    code = "last_owner"


class LastOperator(Conflict):
    """An installation keeps at least one superuser who can sign in."""

    code = "last_operator"


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


class ScopeTooWide(PermissionDenied):
    """Nobody makes a key that may do more than they may."""

    code = "scope_too_wide"


class SignInRefused(UserError):
    """The e-mail address, the password or the organization is wrong."""

    code = "sign_in_refused"
    http_status = 401


class CodeNeeded(SignInRefused):
    """This account is protected by a second factor: a code is needed."""

    code = "mfa_required"


class CodeWrong(SignInRefused):
    """The code of the second factor is wrong or was used already."""

    code = "mfa_wrong"


class SignUpRefused(PermissionDenied):
    """Nobody can make an account with this address by themselves."""

    code = "sign_up_refused"


class TokenRefused(UserError):
    """This token is not valid."""

    code = "token_invalid"
    http_status = 401


class OrganizationAtRest(Conflict):
    """This organization is suspended or deleted: nothing of it runs or changes."""

    code = "organization_at_rest"


class SentTooOften(UserError):
    """This invitation was sent a moment ago."""

    code = "sent_too_often"
    http_status = 429
