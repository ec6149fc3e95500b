"""Persons and their sessions."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Role
from common.errors import Conflict, PermissionDenied, UserError
from tenants.actors import Actor
from tenants.errors import LastOperator, WeakPassword
from tenants.models import Membership, Organization, User
from tenants.services import tokens
from tenants.services.api_keys import revoke_keys_of
from tenants.services.base import email_address


@transaction.atomic
def create_user(*, email: str, name: str, password: str) -> User:
    """A new person. Raises ``UserError`` for a bad address, a taken one or a weak password."""
    email = email_address(email)
    if User.objects.filter(email__iexact=email).exists():
        raise UserError(
            "This e-mail address has an account already.", field="email", remedy="Sign in instead."
        )
    user = checked_person(email=email, name=name, password=password)
    user.set_password(password)
    user.save()
    return user


def replace_sign_up(*, user: User, name: str, password: str) -> User:
    """Give an account that nobody ever came in with to who has proven the address."""
    draft = checked_person(email=user.email, name=name, password=password)
    user.name = draft.name
    user.set_password(password)
    user.save(update_fields=["name", "password"])
    return user


def checked_person(*, email: str, name: str, password: str) -> User:
    """A person who is not saved yet and has no password; ``WeakPassword`` when this one would not do."""
    user = User(email=email, name=_name(name))
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field="password") from None
    return user


def rename_user(*, user: User, name: str) -> User:
    """The name a person goes by; it belongs to them, not to an organization, so no log has it."""
    user.name = _name(name)
    user.save(update_fields=["name"])
    return user


@transaction.atomic
def record_session(
    *,
    user: User,
    action: AuditAction,
    ip: str,
    proven: bool = True,
    changes: dict[str, Any] | None = None,
) -> None:
    """Tell every organization of ``user`` of a sign-in or sign-out, or of a change to how they sign in.

    Who belongs to none yet, and who operates, stands in the log of the installation. ``proven`` is false for
    who only typed the address: the event then names nobody as the actor.
    """
    rows = Membership.all_organizations.filter(user=user).select_related("organization", "user")
    places: list[tuple[Organization | None, Actor]] = [
        (membership.organization, Actor.member(membership, ip=ip)) for membership in rows
    ]
    if user.is_staff:
        places.append((None, Actor.operator(user, ip=ip)))
    nowhere = Actor("user", user.display_name, Role.VIEWER, str(user.pk), ip)
    for organization, actor in places or [(None, nowhere)]:
        audit.record(
            organization=organization,
            actor=actor if proven else Actor.unknown(user.email, ip=ip),
            action=action,
            target=user,
            changes=changes,
        )


@dataclass(frozen=True)
class Deactivated:
    """What went with a person who was switched off."""

    sessions: int
    keys: int
    #: Organizations in which no owner is left who can sign in: an operator makes another member one.
    ownerless: list[Organization]


@transaction.atomic
def deactivate_user(*, user: User, actor: Actor) -> Deactivated:
    """Switch a person off: sessions and API sign-ins end at once, and so do the keys they made, as they know them.

    Operators only. Never refused for the sake of an organization: somebody who must not come in has to be kept out.
    """
    user = _locked(user, actor)
    if not user.is_active:
        raise Conflict("This person is switched off already.")
    _keep_an_operator(user, actor)
    user.is_active = False
    user.save(update_fields=["is_active"])
    tokens.revoke_families_of(user=user, actor=actor)
    keys = 0
    rows = Membership.all_organizations.filter(user=user).select_related("organization", "user")
    for membership in rows:
        keys += revoke_keys_of(membership, above=None, actor=actor)
    sessions = end_sessions_of(user)
    tell_all(user, actor, AuditAction.USER_DEACTIVATED, {"is_active": [True, False]})
    return Deactivated(sessions, keys, _ownerless(user))


@transaction.atomic
def reactivate_user(*, user: User, actor: Actor) -> User:
    """Let a person in again, with the memberships they had. Sessions, API sign-ins and keys stay ended."""
    user = _locked(user, actor)
    if user.is_active:
        raise Conflict("This person is not switched off.")
    user.is_active = True
    user.save(update_fields=["is_active"])
    tell_all(user, actor, AuditAction.USER_REACTIVATED, {"is_active": [False, True]})
    return user


def end_sessions_of(user: User) -> int:
    """End every session of a person in browsers; how many there were."""
    # Whose a session is stands inside it. That the account rests only hides it until the day it is
    # switched on again.
    wanted = str(user.pk)
    rows = Session.objects.filter(expire_date__gt=timezone.now())
    mine = [
        row.session_key
        for row in rows.iterator(chunk_size=500)
        if str(row.get_decoded().get(SESSION_KEY, "")) == wanted
    ]
    Session.objects.filter(session_key__in=mine).delete()
    return len(mine)


def _locked(user: User, actor: Actor) -> User:
    if actor.kind != "operator":
        raise PermissionDenied("Only operators switch people off or on.")
    return User.objects.select_for_update().get(pk=user.pk)


def _keep_an_operator(user: User, actor: Actor) -> None:
    if actor.identifier == str(user.pk):
        raise LastOperator(
            "You cannot switch yourself off.", field="is_active", remedy="Ask another operator."
        )
    if not user.is_superuser:
        return
    others = User.objects.filter(is_superuser=True, is_staff=True, is_active=True)
    if not others.exclude(pk=user.pk).exists():
        raise LastOperator(field="is_active", remedy="Make another person a superuser first.")


def _ownerless(user: User) -> list[Organization]:
    owned = Membership.all_organizations.filter(user=user, role=Role.OWNER)
    return [
        membership.organization
        for membership in owned.select_related("organization")
        if not Membership.objects.for_organization(membership.organization)
        .filter(role=Role.OWNER, user__is_active=True)
        .exists()
    ]


def tell_all(user: User, actor: Actor, action: AuditAction, changes: dict[str, Any]) -> None:
    """Into the installation's log, and that of every organization of the person."""
    rows = Membership.all_organizations.filter(user=user).select_related("organization")
    for organization in (None, *(row.organization for row in rows)):
        audit.record(
            organization=organization, actor=actor, action=action, target=user, changes=changes
        )


def _name(text: str) -> str:
    text = text.strip()
    if len(text) > 120:
        raise UserError("The name is longer than 120 characters.", field="name")
    return text
