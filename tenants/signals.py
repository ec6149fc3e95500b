"""Sign-ins, sign-outs and changed passwords, whichever page they came from, end in the audit log."""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from audit import services as audit
from audit.actions import AuditAction
from common.http import client_ip
from tenants.actors import Actor
from tenants.models import User
from tenants.services import addresses, record_session, sessions, tokens


@receiver(user_logged_in)
def signed_in(request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    _record(request, user, AuditAction.SIGNED_IN)


@receiver(user_logged_out)
def signed_out(request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    _record(request, user, AuditAction.SIGNED_OUT)


@receiver(user_login_failed)
def sign_in_failed(
    credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Of an address that nobody has the operators are told."""
    address = str(credentials.get("email") or credentials.get("username") or "")
    user = User.objects.filter(email__iexact=address).first()
    if user is not None:
        _record(request, user, AuditAction.SIGN_IN_FAILED, proven=False)
    elif request is not None and client_ip(request):
        audit.record(
            organization=None,
            actor=Actor.unknown(address, ip=client_ip(request)),
            action=AuditAction.SIGN_IN_FAILED,
        )


@receiver([password_changed, password_set, password_reset])
def password_was_changed(request: HttpRequest, user: User, **kwargs: Any) -> None:
    _record(request, user, AuditAction.PASSWORD_CHANGED)
    tokens.revoke_families_of(user=user, ip=client_ip(request))
    sessions.end_other_browser_sessions(user=user, keep=str(request.session.session_key))


@receiver(password_reset)
def mailbox_was_shown(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """The link of a reset goes to the person's own address, so who used it reads the mail there."""
    addresses.mark_verified(user=user, ip=client_ip(request))


def _record(
    request: HttpRequest | None, user: User | None, action: AuditAction, *, proven: bool = True
) -> None:
    # A session made by code, not by a request from outside, is nobody's sign-in.
    if user is None or request is None or not client_ip(request):
        return
    record_session(user=user, action=action, ip=client_ip(request), proven=proven)
