"""Persons and their sessions."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.errors import UserError
from tenants.actors import Actor
from tenants.errors import WeakPassword
from tenants.models import Membership, User
from tenants.services.base import email_address


@transaction.atomic
def create_user(*, email: str, name: str, password: str) -> User:
    """A new person. Raises ``UserError`` for a bad address, a taken one or a weak password."""
    email = email_address(email)
    if User.objects.filter(email__iexact=email).exists():
        raise UserError(
            "This e-mail address has an account already.", field="email", remedy="Sign in instead."
        )
    user = User(email=email, name=_name(name))
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field="password") from None
    user.set_password(password)
    user.save()
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

    ``proven`` is false for who only typed the address: the event then names no member as the actor.
    """
    rows = Membership.all_organizations.filter(user=user).select_related("organization", "user")
    for membership in rows:
        actor = Actor.member(membership, ip=ip) if proven else Actor.unknown(user.email, ip=ip)
        audit.record(
            organization=membership.organization,
            actor=actor,
            action=action,
            target=user,
            changes=changes,
        )


def _name(text: str) -> str:
    text = text.strip()
    if len(text) > 120:
        raise UserError("The name is longer than 120 characters.", field="name")
    return text
