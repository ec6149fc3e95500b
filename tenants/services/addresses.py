"""E-mail addresses of people: which of them are proven, and how one takes the place of another.

``EmailAddress`` has a row for an address that was proven, and an unverified primary one for somebody who
signed up by themselves and has not proven it yet. People made by operators or by an invitation whose link was
passed on by hand have none: they may sign in, and nothing is taken for proven.
"""

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from audit.actions import AuditAction
from common.errors import Conflict, UserError
from tenants.models import Membership, User
from tenants.services.base import email_address
from tenants.services.people import record_session


def must_verify(user: User) -> bool:
    """Whether this person signed up by themselves and has not shown yet that the address is theirs."""
    rows = EmailAddress.objects.filter(user=user, email=user.email.lower())
    return bool(rows.filter(primary=True, verified=False).exists())


def is_verified(user: User) -> bool:
    rows = EmailAddress.objects.filter(user=user, email=user.email.lower())
    return bool(rows.filter(verified=True).exists())


def find_person(email: str) -> User | None:
    """Who has this address, or has proven it besides their own."""
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        row = EmailAddress.objects.filter(email__iexact=email, verified=True).first()
        user = User.objects.get(pk=row.user_id) if row else None
    return user


def is_claimable(user: User) -> bool:
    """Whether nobody has ever come in with this account: who typed the address did not prove it."""
    return (
        user.last_login is None
        and not user.is_staff
        and must_verify(user)
        and not Membership.all_organizations.filter(user=user).exists()
    )


@transaction.atomic
def mark_verified(*, user: User, ip: str = "") -> bool:
    """Note that the address is proven; False when it was already, or is proven for somebody else."""
    email = user.email.lower()
    if EmailAddress.objects.filter(email__iexact=email, verified=True).exists():
        return False
    _proven(user, email)
    record_session(user=user, action=AuditAction.EMAIL_VERIFIED, ip=ip)
    return True


def check_new_address(*, user: User, email: str) -> str:
    """The address as it is kept. Whether somebody else has it is not told here, but in a mail to it."""
    email = email_address(email)
    if email == user.email.lower():
        raise UserError(
            "This is your address already.", field="email", remedy="Give the one you want to have."
        )
    return email


@transaction.atomic
def change_email(*, user: User, email: str, ip: str = "") -> User:
    """Give a person the address that they have just proven. ``Conflict`` when somebody else has it by now."""
    email = email_address(email)
    user = User.objects.select_for_update().get(pk=user.pk)
    before = user.email
    owner = find_person(email)
    if owner is not None and owner.pk != user.pk:
        raise _taken()
    user.email = email
    try:
        with transaction.atomic():
            user.save(update_fields=["email"])
    except IntegrityError:
        raise _taken() from None
    EmailAddress.objects.filter(user=user, email=before.lower()).delete()
    _proven(user, email)
    record_session(
        user=user, action=AuditAction.EMAIL_CHANGED, ip=ip, changes={"email": [before, email]}
    )
    return user


def _proven(user: User, email: str) -> None:
    EmailAddress.objects.filter(user=user, primary=True).exclude(email=email).update(primary=False)
    EmailAddress.objects.update_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )


def _taken() -> Conflict:
    return Conflict(
        "Another account has this address by now.",
        field="email",
        remedy="Choose another address, or sign in with that account.",
    )
