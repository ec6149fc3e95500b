"""People who make an account by themselves."""

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Role
from tenants.actors import Actor
from tenants.errors import SignUpRefused
from tenants.models import SignUpPolicy, User
from tenants.selectors import platform_settings
from tenants.services.addresses import find_person, is_claimable
from tenants.services.base import email_address
from tenants.services.people import checked_person


def is_sign_up_offered() -> bool:
    """Whether the policy lets anybody make an account without an invitation."""
    return platform_settings().sign_up_policy in (SignUpPolicy.OPEN, SignUpPolicy.DOMAINS)


def is_closed() -> bool:
    """Whether nobody new gets an account, invited or not."""
    return bool(platform_settings().sign_up_policy == SignUpPolicy.CLOSED)


def check_newcomers() -> None:
    """``SignUpRefused`` while nobody new gets an account."""
    if is_closed():
        raise SignUpRefused(
            "Nobody new gets an account here at the moment.",
            remedy="Ask the operator of this installation. The invitation stays good until it expires.",
        )


def sign_up_domains() -> list[str]:
    """The only domains whose addresses may sign up; empty is every one."""
    platform = platform_settings()
    if platform.sign_up_policy != SignUpPolicy.DOMAINS:
        return []
    return [str(domain).lower() for domain in platform.sign_up_domains]


def check_sign_up(email: str) -> None:
    """``SignUpRefused`` for an address that the policy keeps out.

    Open invitations count for nothing here: asking would tell strangers whom somebody has invited.
    """
    if not is_sign_up_offered():
        raise SignUpRefused(
            "Nobody can make an account here by themselves.",
            remedy="Ask an admin of your organization for an invitation.",
        )
    domains = sign_up_domains()
    if domains and email.rpartition("@")[2] not in domains:
        raise SignUpRefused(
            f"Only addresses of {', '.join(domains)} can sign up here.",
            field="email",
            remedy="Use your work address, or ask an admin for an invitation.",
        )


def sign_up(*, email: str, name: str, password: str, ip: str = "") -> User | None:
    """A person whose address is yet to be proven; None when the address has an account, which is told to nobody.

    An account that was never proven is taken over by the newest sign-up, with its password: whoever
    typed the address before did not show that it is theirs. One hash of a password either way.
    """
    email = email_address(email)
    check_sign_up(email)
    draft = checked_person(email=email, name=name, password=password)
    hashed = make_password(password)
    try:
        return _newcomer(draft, hashed, ip)
    except IntegrityError:
        return None  # Another request made the account at the same moment.


@transaction.atomic
def _newcomer(draft: User, hashed: str, ip: str) -> User | None:
    user = find_person(draft.email)
    if user is not None:
        user = User.objects.select_for_update().get(pk=user.pk)
        if not user.is_active or not is_claimable(user):
            return None
    user = user or User(email=draft.email)
    user.name, user.password, user.date_joined = draft.name, hashed, timezone.now()
    user.save()
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"primary": True, "verified": False}
    )
    audit.record(
        organization=None,
        actor=Actor("user", user.display_name, Role.VIEWER, str(user.pk), ip),
        action=AuditAction.SIGNED_UP,
        target=user,
    )
    return user
