"""Every change to people, organizations, memberships and keys."""

import hashlib
import secrets
from datetime import timedelta
from zoneinfo import available_timezones

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission, Role, is_at_least
from common.errors import UserError
from common.scoping import unique_slug
from tenants.actors import Actor
from tenants.errors import (
    AlreadyMember,
    InvitationUnusable,
    LastOwner,
    RoleTooHigh,
    SetUpAlready,
    WeakPassword,
)
from tenants.models import ApiKey, Invitation, Membership, Organization, User

INVITATION_DAYS = 7
API_KEY_PREFIX = "etf_"


@transaction.atomic
def create_user(*, email: str, name: str, password: str) -> User:
    """A new person. Raises ``UserError`` for a bad address, a taken one or a weak password."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise UserError(
            f"{email!r} is not an e-mail address.", field="email", remedy="Write name@example.com."
        ) from None
    if User.objects.filter(email__iexact=email).exists():
        raise UserError(
            "This e-mail address has an account already.", field="email", remedy="Sign in instead."
        )
    user = User(email=email, name=name.strip())
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field="password") from None
    user.set_password(password)
    user.save()
    return user


@transaction.atomic
def create_organization(
    *, name: str, owner: User, actor: Actor | None = None, time_zone: str = "UTC"
) -> Organization:
    """A new organization with its first owner."""
    organization = Organization(
        name=_required(name, "name"),
        slug=unique_slug(name, Organization.objects.all(), fallback="organization"),
        time_zone=_known_zone(time_zone),
    )
    organization.save()
    membership = Membership(organization=organization, user=owner, role=Role.OWNER)
    membership.save()
    audit.record(
        organization=organization,
        actor=actor or Actor.member(membership),
        action=AuditAction.ORGANIZATION_CREATED,
        target=organization,
    )
    return organization


@transaction.atomic
def set_up(
    *, email: str, name: str, password: str, organization_name: str, time_zone: str = "UTC"
) -> Organization:
    """The first start: the first person, who also operates the installation, and their organization."""
    if User.objects.exists():
        raise SetUpAlready
    user = create_user(email=email, name=name, password=password)
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])
    return create_organization(name=organization_name, owner=user, time_zone=time_zone)


@transaction.atomic
def update_organization(
    *,
    organization: Organization,
    actor: Actor,
    name: str,
    time_zone: str,
    default_schema: str,
) -> Organization:
    actor.require(Permission.MANAGE_ORGANIZATION)
    before = {"name": organization.name, "time_zone": organization.time_zone}
    before["default_schema"] = organization.default_schema
    organization.name = _required(name, "name")
    organization.time_zone = _known_zone(time_zone)
    organization.default_schema = default_schema
    try:
        organization.full_clean(exclude=["members"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise UserError(messages[0], field=field) from None
    organization.save()
    after = {"name": organization.name, "time_zone": organization.time_zone}
    after["default_schema"] = organization.default_schema
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.ORGANIZATION_UPDATED,
        target=organization,
        changes=audit.difference(before, after),
    )
    return organization


@transaction.atomic
def add_member(*, organization: Organization, user: User, role: Role, actor: Actor) -> Membership:
    """Make ``user`` a member. Nobody gives a role above their own."""
    actor.require(Permission.MANAGE_MEMBERS)
    _check_grant(actor, role)
    if Membership.objects.for_organization(organization).filter(user=user).exists():
        raise AlreadyMember(field="email")
    membership = Membership(organization=organization, user=user, role=role)
    membership.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.MEMBER_ADDED,
        target=membership,
        changes={"role": [None, role]},
    )
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: Role, actor: Actor) -> Membership:
    actor.require(Permission.MANAGE_MEMBERS)
    _check_grant(actor, Role(membership.role))
    _check_grant(actor, role)
    if role != Role.OWNER:
        _keep_an_owner(membership)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    audit.record(
        organization=membership.organization,
        actor=actor,
        action=AuditAction.MEMBER_ROLE_CHANGED,
        target=membership,
        changes={"role": [before, role]},
    )
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, actor: Actor) -> None:
    """Take a person out of the organization; leaving oneself needs no right."""
    is_self = actor.kind == "user" and actor.identifier == str(membership.user_id)
    if not is_self:
        actor.require(Permission.MANAGE_MEMBERS)
        _check_grant(actor, Role(membership.role))
    _keep_an_owner(membership)
    audit.record(
        organization=membership.organization,
        actor=actor,
        action=AuditAction.MEMBER_REMOVED,
        target=membership,
        changes={"role": [membership.role, None]},
    )
    membership.delete()


@transaction.atomic
def invite(
    *, organization: Organization, email: str, role: Role, actor: Actor
) -> tuple[Invitation, str]:
    """An invitation and its secret token, which only the returned link ever carries."""
    actor.require(Permission.MANAGE_MEMBERS)
    _check_grant(actor, role)
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise UserError(
            f"{email!r} is not an e-mail address.", field="email", remedy="Write name@example.com."
        ) from None
    members = Membership.objects.for_organization(organization)
    if members.filter(user__email__iexact=email).exists():
        raise AlreadyMember(field="email")
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        organization=organization,
        email=email,
        role=role,
        token_hash=hash_token(token),
        invited_by=actor.label,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    invitation.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.INVITATION_CREATED,
        target=invitation,
    )
    return invitation, token


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, actor: Actor) -> None:
    actor.require(Permission.MANAGE_MEMBERS)
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])
    audit.record(
        organization=invitation.organization,
        actor=actor,
        action=AuditAction.INVITATION_REVOKED,
        target=invitation,
    )


def find_invitation(token: str) -> Invitation:
    """The open invitation of this token, or ``InvitationUnusable``."""
    rows = Invitation.all_organizations.select_related("organization")
    invitation: Invitation | None = rows.filter(token_hash=hash_token(token)).first()
    if invitation is None or not invitation.is_open:
        raise InvitationUnusable(remedy="Ask the person who invited you for a new one.")
    return invitation


@transaction.atomic
def accept_invitation(*, token: str, user: User) -> Membership:
    """Join as the invited person. The signed-in address must be the invited one."""
    invitation = find_invitation(token)
    if user.email.lower() != invitation.email.lower():
        raise InvitationUnusable(
            f"This invitation is for {invitation.email}.",
            remedy=f"Sign in as {invitation.email}, or ask for an invitation to {user.email}.",
        )
    organization = invitation.organization
    if Membership.objects.for_organization(organization).filter(user=user).exists():
        raise AlreadyMember
    membership = Membership(organization=organization, user=user, role=invitation.role)
    membership.save()
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    audit.record(
        organization=organization,
        actor=Actor.member(membership),
        action=AuditAction.INVITATION_ACCEPTED,
        target=membership,
        changes={"role": [None, membership.role]},
    )
    return membership


@transaction.atomic
def issue_api_key(
    *,
    organization: Organization,
    name: str,
    role: Role,
    actor: Actor,
    created_by: User | None = None,
    days: int | None = 90,
) -> tuple[ApiKey, str]:
    """A key and its text, which is never shown again. ``days`` None means it does not expire."""
    actor.require(Permission.MANAGE_API_KEYS)
    _check_grant(actor, role)
    text = API_KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        organization=organization,
        name=_required(name, "name"),
        prefix=text[:10],
        key_hash=hash_token(text),
        role=role,
        created_by=created_by,
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )
    key.save()
    audit.record(
        organization=organization, actor=actor, action=AuditAction.API_KEY_CREATED, target=key
    )
    return key, text


@transaction.atomic
def revoke_api_key(*, key: ApiKey, actor: Actor) -> None:
    actor.require(Permission.MANAGE_API_KEYS)
    _check_grant(actor, Role(key.role))
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    audit.record(
        organization=key.organization, actor=actor, action=AuditAction.API_KEY_REVOKED, target=key
    )


def hash_token(token: str) -> str:
    """SHA-256 suffices: the token is 32 random bytes, not a password a person chose."""
    return hashlib.sha256(token.encode()).hexdigest()


def _check_grant(actor: Actor, role: Role) -> None:
    if not is_at_least(actor.role, role):
        raise RoleTooHigh(
            f"As {actor.role} you cannot give or change the role {role}.",
            field="role",
            remedy="Ask an owner of the organization.",
        )


def _keep_an_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    # Two owners leaving at once take turns here, so both cannot see the other still in.
    Organization.objects.select_for_update().get(pk=membership.organization_id)
    owners = Membership.objects.for_organization(membership.organization).filter(role=Role.OWNER)
    if not owners.exclude(pk=membership.pk).exists():
        raise LastOwner(remedy="Make another member an owner first.", field="role")


def _required(text: str, field: str) -> str:
    text = text.strip()
    if not text:
        raise UserError("A name is needed.", field=field)
    if len(text) > 80:
        raise UserError("The name is longer than 80 characters.", field=field)
    return text


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise UserError(
            f"{name!r} is not a time zone.",
            field="time_zone",
            remedy="Use a name such as Europe/Berlin or UTC.",
        )
    return name
