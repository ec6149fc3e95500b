"""What operators do to accounts, besides switching them off and on (``people``)."""

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.errors import PermissionDenied
from tenants.actors import Actor
from tenants.errors import LastOperator
from tenants.models import User
from tenants.services import tokens
from tenants.services.people import end_sessions_of, tell_all

_RIGHTS = ("is_staff", "is_superuser")


@transaction.atomic
def add_user(*, user: User, actor: Actor) -> User:
    """Save a new person, whose password a form has checked and set."""
    _operators_only(actor)
    user.email = user.email.strip().lower()
    user.save()
    audit.record(
        organization=None,
        actor=actor,
        action=AuditAction.USER_CREATED,
        target=user,
        changes={"email": [None, user.email]},
    )
    return user


@transaction.atomic
def set_rights(*, user: User, actor: Actor, is_staff: bool, is_superuser: bool) -> User:
    """Make somebody an operator of the installation, or no longer. At least one superuser can sign in."""
    _operators_only(actor)
    user = User.objects.select_for_update().get(pk=user.pk)
    before = {name: getattr(user, name) for name in _RIGHTS}
    after = {"is_staff": is_staff, "is_superuser": is_superuser}
    changes = audit.difference(before, after)
    if not changes:
        return user
    if actor.identifier == str(user.pk) and not (is_staff and is_superuser):
        raise LastOperator(
            "You cannot take your own rights away.",
            field="is_superuser",
            remedy="Ask another operator.",
        )
    # Operators are superusers who may enter the admin: one flag without the other opens nothing.
    others = User.objects.filter(is_superuser=True, is_staff=True, is_active=True)
    if not (is_staff and is_superuser) and not others.exclude(pk=user.pk).exists():
        raise LastOperator(field="is_superuser", remedy="Make another person a superuser first.")
    user.is_staff, user.is_superuser = is_staff, is_superuser
    user.save(update_fields=list(_RIGHTS))
    tell_all(user, actor, AuditAction.USER_RIGHTS_CHANGED, changes)
    return user


@transaction.atomic
def note_new_password(*, user: User, actor: Actor) -> None:
    """After a form has set another password: every organization of the person hears of it, and sign-ins end."""
    _operators_only(actor)
    if actor.identifier != str(user.pk):
        end_sessions_of(user)
    tokens.revoke_families_of(user=user, actor=actor)
    tell_all(user, actor, AuditAction.PASSWORD_CHANGED, {"password": [audit.MASK, audit.MASK]})


def _operators_only(actor: Actor) -> None:
    if actor.kind != "operator":
        raise PermissionDenied("Accounts are managed by operators of this installation.")
