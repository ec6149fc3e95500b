"""People who come with an account of a provider: who they are here, and what links them to it."""

from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.utils import timezone

from audit.actions import AuditAction
from common.errors import Conflict, PermissionDenied
from tenants.models import (
    IdentityProvider,
    Invitation,
    SignUpPolicy,
    User,
)
from tenants.selectors import platform_settings
from tenants.services.addresses import find_person, is_verified, mark_verified
from tenants.services.people import record_session


class ProviderSignInRefused(PermissionDenied):
    """The provider vouches for somebody, but this sign-in is not possible here."""

    code = "sign_in_refused"


@dataclass(frozen=True)
class Identity:
    """What a provider says of the person it sent."""

    provider: IdentityProvider
    #: The provider's own id of the person: it never changes hands, an e-mail address may.
    uid: str
    #: Only an address the provider has verified; else empty.
    email: str
    name: str = ""
    #: By what the person recognizes the account.
    label: str = ""


@transaction.atomic
def sign_in_with(*, identity: Identity, ip: str = "") -> User:
    """The person behind ``identity``: linked before, found by the address, or new.

    Raises ``ProviderSignInRefused`` with the reason in words.
    """
    _check_domain(identity)
    known = _account_of(identity)
    if known is not None:
        return _active(known.user)
    if not identity.email:
        raise ProviderSignInRefused(
            f"{identity.provider.name} has not verified your e-mail address.",
            remedy=f"So nobody knows that it is yours. Verify it at {identity.provider.name}, then try again.",
        )
    user = _find(identity.email)
    if user is None:
        user = _newcomer(identity)
    else:
        _active(user)
        _check_take_over(user, identity)
    _link(user, identity, ip)
    return user


@transaction.atomic
def link_sign_in(*, user: User, identity: Identity, ip: str = "") -> None:
    """Link the account to the person who is signed in; its address need not be theirs."""
    _check_domain(identity)
    known = _account_of(identity)
    if known is None:
        _link(_active(user), identity, ip)
    elif known.user_id != user.pk:
        raise ProviderSignInRefused(
            f"This account of {identity.provider.name} is linked to somebody else here.",
            remedy="Unlink it there first, or choose another account.",
        )


@transaction.atomic
def unlink_sign_in(*, user: User, account_id: int, ip: str = "") -> str:
    """Remove a link of ``user``; the provider's name. The last way in stays."""
    rows = SocialAccount.objects.select_for_update().filter(user=user)
    account = rows.filter(pk=account_id).first()
    if account is None:
        raise Conflict("This sign-in is not linked to your account any more.")
    others = set(rows.exclude(pk=account_id).values_list("provider", flat=True))
    usable = IdentityProvider.objects.filter(slug__in=others, is_enabled=True).exists()
    if not usable and not user.has_usable_password():
        raise Conflict(
            "This is the only way into your account.",
            remedy="Choose a password first, with “Forgot your password?” on the sign-in page.",
        )
    provider = IdentityProvider.objects.filter(slug=account.provider).first()
    name = provider.name if provider else str(account.provider)
    account.delete()
    record_session(
        user=user, action=AuditAction.PROVIDER_UNLINKED, ip=ip, changes={"provider": [name, None]}
    )
    return name


def is_signing_up_allowed(email: str) -> bool:
    """Whether a person with this proven address may make an account."""
    platform = platform_settings()
    if platform.sign_up_policy == SignUpPolicy.CLOSED:
        return False
    if platform.sign_up_policy == SignUpPolicy.OPEN:
        return True
    if platform.sign_up_policy == SignUpPolicy.DOMAINS and _domain_of(email) in {
        domain.lower() for domain in platform.sign_up_domains
    }:
        return True
    invitations = Invitation.all_organizations.filter(
        email__iexact=email,
        accepted_at__isnull=True,
        revoked_at__isnull=True,
        expires_at__gt=timezone.now(),
    )
    return bool(invitations.exists())


def _domain_of(email: str) -> str:
    return email.rpartition("@")[2].lower()


def _check_domain(identity: Identity) -> None:
    domains = identity.provider.domains
    if domains and _domain_of(identity.email) not in domains:
        raise ProviderSignInRefused(
            f"With {identity.provider.name} only addresses of {', '.join(domains)} may come in.",
            remedy=f"Choose your work account at {identity.provider.name}.",
        )


def _account_of(identity: Identity) -> SocialAccount | None:
    rows = SocialAccount.objects.select_related("user")
    return rows.filter(provider=identity.provider.slug, uid=identity.uid).first()


def _active(user: User) -> User:
    if not user.is_active:
        raise ProviderSignInRefused(
            "This account is switched off.", remedy="Ask the operator to switch it on again."
        )
    return user


def _find(email: str) -> User | None:
    user = find_person(email)
    return User.objects.select_for_update().get(pk=user.pk) if user else None


def _check_take_over(user: User, identity: Identity) -> None:
    """Whoever registered a stranger's address and waits with a password must not share their account."""
    is_own = user.email.lower() == identity.email.lower()
    if is_own and not is_verified(user) and user.has_usable_password():
        name = identity.provider.name
        raise ProviderSignInRefused(
            f"There is an account for {identity.email} here, whose address was never verified.",
            remedy=f"Sign in with its password and link {name} on your account page. If the password is not"
            " yours, choose one with “Forgot your password?” on the sign-in page.",
        )


def _newcomer(identity: Identity) -> User:
    if not is_signing_up_allowed(identity.email):
        raise ProviderSignInRefused(
            f"There is no account for {identity.email} here.",
            remedy="Ask an admin of your organization for an invitation to this address.",
        )
    return User.objects.create_user(identity.email, None, name=identity.name.strip()[:120])


def _link(user: User, identity: Identity, ip: str) -> None:
    SocialAccount(
        user=user,
        provider=identity.provider.slug,
        uid=identity.uid,
        extra_data={"name": identity.name, "label": identity.label or identity.email},
    ).save()
    if identity.email and identity.email.lower() == user.email.lower():
        mark_verified(user=user, ip=ip)
    record_session(
        user=user,
        action=AuditAction.PROVIDER_LINKED,
        ip=ip,
        changes={"provider": [None, identity.provider.name]},
    )
