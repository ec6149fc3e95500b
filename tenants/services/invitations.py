"""Invitations: offered by a link whose token only the invited ever holds."""

import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission, Role
from common.errors import Conflict, UserError
from tenants.actors import Actor
from tenants.errors import AlreadyMember, InvitationUnusable, SentTooOften
from tenants.models import Invitation, Membership, Organization, User
from tenants.services.addresses import find_person, is_claimable, mark_verified
from tenants.services.base import check_grant, email_address, hash_token
from tenants.services.lifecycle import check_awake
from tenants.services.people import create_user, replace_sign_up
from tenants.services.sign_up import check_newcomers

INVITATION_DAYS = 7
MOST_INVITATION_DAYS = 30
#: Between two mails of one invitation.
RESEND_AFTER = timedelta(minutes=5)
#: More in one go is a mistake, or somebody sending mail through us.
MOST_AT_ONCE = 50


@transaction.atomic
def invite(
    *,
    organization: Organization,
    email: str,
    role: Role,
    actor: Actor,
    days: int = INVITATION_DAYS,
) -> tuple[Invitation, str]:
    """An invitation good for so many days and its secret token, which only the returned link ever carries.

    It takes the place of an open one to the same address.
    """
    actor.require(Permission.MANAGE_MEMBERS)
    check_grant(actor, role)
    if not 1 <= days <= MOST_INVITATION_DAYS:
        raise UserError(
            f"An invitation cannot be good for {days} days.",
            field="days",
            remedy=f"Give 1 to {MOST_INVITATION_DAYS} days.",
        )
    email = email_address(email)
    members = Membership.objects.for_organization(organization)
    if members.filter(user__email__iexact=email).exists():
        raise AlreadyMember(f"{email} is a member already.", field="email")
    earlier = Invitation.objects.for_organization(organization).filter(
        email=email, accepted_at__isnull=True, revoked_at__isnull=True
    )
    earlier.update(revoked_at=timezone.now())
    token, now = secrets.token_urlsafe(32), timezone.now()
    invitation = Invitation(
        organization=organization,
        email=email,
        role=role,
        token_hash=hash_token(token),
        invited_by=actor.label,
        created_at=now,
        last_sent_at=now,
        expires_at=now + timedelta(days=days),
    )
    invitation.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.INVITATION_CREATED,
        target=invitation,
        changes={"role": [None, role], "days": [None, days]},
    )
    return invitation, token


@transaction.atomic
def resend_invitation(*, invitation: Invitation, actor: Actor) -> tuple[Invitation, str]:
    """The invitation with a new token, good for as many days again; the link before it stops working."""
    actor.require(Permission.MANAGE_MEMBERS)
    rows = Invitation.objects.for_organization(invitation.organization).select_for_update()
    invitation = rows.get(pk=invitation.pk)
    check_grant(actor, Role(invitation.role))
    if invitation.accepted_at or invitation.revoked_at:
        raise Conflict("This invitation was used or revoked already.")
    now, sent = timezone.now(), invitation.last_sent_at or invitation.created_at
    if now - sent < RESEND_AFTER:
        seconds = int((sent + RESEND_AFTER - now).total_seconds()) + 1
        raise SentTooOften(
            f"The invitation of {invitation.email} was sent a moment ago.",
            remedy=f"Send it again in {seconds} seconds, or pass the link on that you have.",
        )
    token = secrets.token_urlsafe(32)
    invitation.token_hash = hash_token(token)
    # What was chosen when it was made, from now.
    invitation.expires_at = now + timedelta(days=days_of(invitation))
    invitation.last_sent_at = now
    invitation.save(update_fields=["token_hash", "expires_at", "last_sent_at"])
    audit.record(
        organization=invitation.organization,
        actor=actor,
        action=AuditAction.INVITATION_RESENT,
        target=invitation,
    )
    return invitation, token


def days_of(invitation: Invitation) -> int:
    """How long its link is good for since it was last sent."""
    since = invitation.last_sent_at or invitation.created_at
    return max(1, round((invitation.expires_at - since).total_seconds() / 86_400))


@transaction.atomic
def invite_all(
    *,
    organization: Organization,
    emails: Iterable[str],
    role: Role,
    actor: Actor,
    days: int = INVITATION_DAYS,
) -> list[tuple[Invitation, str]]:
    """Invite every address, or none of them when one cannot be."""
    wanted = list(dict.fromkeys(email.strip().lower() for email in emails if email.strip()))
    if not wanted:
        raise UserError("An e-mail address is needed.", field="emails")
    if len(wanted) > MOST_AT_ONCE:
        raise UserError(f"More than {MOST_AT_ONCE} addresses at once.", field="emails")
    return [
        invite(organization=organization, email=email, role=role, actor=actor, days=days)
        for email in wanted
    ]


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, actor: Actor) -> None:
    actor.require(Permission.MANAGE_MEMBERS)
    rows = Invitation.objects.for_organization(invitation.organization).select_for_update()
    invitation = rows.get(pk=invitation.pk)
    if invitation.accepted_at or invitation.revoked_at:
        raise Conflict("This invitation was used or revoked already.")
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])
    audit.record(
        organization=invitation.organization,
        actor=actor,
        action=AuditAction.INVITATION_REVOKED,
        target=invitation,
    )


def find_invitation(token: str) -> Invitation:
    """The open invitation of this token, or ``InvitationUnusable`` with the reason."""
    rows = Invitation.all_organizations.select_related("organization")
    invitation: Invitation | None = rows.filter(token_hash=hash_token(token)).first()
    if invitation is None:
        raise InvitationUnusable(
            "There is no such invitation.",
            remedy="Check that the link is complete, or ask the person who invited you for a new one.",
        )
    if not invitation.is_open:
        raise InvitationUnusable(
            _why_closed(invitation), remedy=f"Ask {invitation.invited_by} for a new one."
        )
    return invitation


def _why_closed(invitation: Invitation) -> str:
    name = invitation.organization.name
    if invitation.accepted_at:
        return f"This invitation to {name} was used already."
    if invitation.revoked_at:
        return f"This invitation to {name} was taken back or replaced by a newer one."
    return f"This invitation to {name} has expired; it was good for {days_of(invitation)} days."


@transaction.atomic
def accept_invitation(*, token: str, user: User, ip: str = "") -> Membership:
    """Join as the invited person. The signed-in address must be the invited one."""
    invitation = find_invitation(token)
    if user.email.lower() != invitation.email.lower():
        raise InvitationUnusable(
            f"This invitation is for {invitation.email}.",
            remedy=f"Sign in as {invitation.email}, or ask for an invitation to {user.email}.",
        )
    organization = invitation.organization
    check_awake(organization)
    # The link works once: a second click at the same moment waits here and finds it used.
    rows = Invitation.objects.for_organization(organization).select_for_update()
    invitation = rows.select_related("organization").get(pk=invitation.pk)
    if not invitation.is_open or invitation.token_hash != hash_token(token):
        raise InvitationUnusable(_why_closed(invitation))
    if Membership.objects.for_organization(organization).filter(user=user).exists():
        raise AlreadyMember
    membership = Membership(organization=organization, user=user, role=invitation.role)
    membership.save()
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    audit.record(
        organization=organization,
        actor=Actor.member(membership, ip=ip),
        action=AuditAction.INVITATION_ACCEPTED,
        target=membership,
        changes={"role": [None, membership.role]},
    )
    return membership


@transaction.atomic
def join(
    *, token: str, name: str, password: str, ip: str = "", is_proven: bool = False
) -> Membership:
    """Make an account for the invited address and join with it, unless the sign-up policy is closed.

    ``is_proven`` when the link came out of the mailbox itself: the address is then verified, and an account that
    somebody began with it and never proved is taken over, with the new password.
    """
    check_newcomers()
    invitation = find_invitation(token)
    begun = find_person(invitation.email) if is_proven else None
    if begun is not None and is_claimable(begun):
        user = replace_sign_up(user=begun, name=name, password=password)
    else:
        user = create_user(email=invitation.email, name=name, password=password)
    membership = accept_invitation(token=token, user=user, ip=ip)
    if is_proven:
        mark_verified(user=user, ip=ip)
    return membership
