"""The second factor of a person: codes of an authenticator app, and recovery codes for when it is away.

allauth keeps both in ``Authenticator``, encrypted by ``tenants.second_factor.MFAAdapter``, and asks for them at
sign-in. Whether a code is good is decided here, for the pages and the API alike.
"""

import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from allauth.mfa.utils import decrypt
from cryptography.fernet import Fernet, InvalidToken
from django.db import transaction
from django.db.models import QuerySet

from audit.actions import AuditAction
from common.crypto import signing_key
from common.errors import Conflict, PermissionDenied, UserError
from tenants.actors import Actor
from tenants.models import User
from tenants.services.addresses import must_verify
from tenants.services.people import record_session, tell_all

_TOTP, _RECOVERY = Authenticator.Type.TOTP.value, Authenticator.Type.RECOVERY_CODES.value
#: Codes before and after the present one that count too: clocks of phones go wrong, and people type slowly.
_TOLERANCE = 1
#: How long a page on which somebody sets it up stays good.
SETUP_SECONDS = 30 * 60


@dataclass(frozen=True)
class SecondFactor:
    """How a person stands with it."""

    #: None while it is off.
    since: datetime | None = None
    codes_left: int = 0

    @property
    def is_on(self) -> bool:
        return self.since is not None


def second_factor_of(user: User) -> SecondFactor:
    found = {factor.type: factor for factor in _factors(user)}
    if _TOTP not in found:
        return SecondFactor()
    left = _left_of(found[_RECOVERY]) if _RECOVERY in found else 0
    return SecondFactor(found[_TOTP].created_at, left)


def new_setup(user: User) -> tuple[str, str]:
    """A new secret for the app, and the text in which the page carries it until the first code proves it.

    The text is encrypted and good for this person for half an hour, so nothing is stored before.
    """
    secret = str(generate_totp_secret())
    return secret, _setup_cipher().encrypt(f"{user.pk} {secret}".encode()).decode()


def secret_of_setup(user: User, setup: str) -> str:
    """The secret inside the text of ``new_setup``; ``Conflict`` for one that is too old or not this person's."""
    try:
        content = _setup_cipher().decrypt(setup.encode(), ttl=SETUP_SECONDS).decode()
    except InvalidToken:
        content = ""
    owner, _, secret = content.partition(" ")
    if owner != str(user.pk):
        raise Conflict("This page is too old.", remedy="Begin again with a new picture.")
    return secret


@transaction.atomic
def switch_on(*, user: User, secret: str, code: str, ip: str = "") -> list[str]:
    """Ask for codes of ``secret`` from now on; the recovery codes, which nobody can show again."""
    user = User.objects.select_for_update().get(pk=user.pk)
    if second_factor_of(user).is_on:
        raise Conflict("Your second factor is on already.")
    # Whoever registered a stranger's address must not lock its owner out for good.
    if must_verify(user):
        raise Conflict(
            "Your e-mail address is not verified yet.",
            remedy="Open the link in the mail we sent you, then try again.",
        )
    step = _step_of(secret, code)
    if step is None:
        raise UserError(
            "This is not the code of the app.",
            field="code",
            remedy="Type the one it shows now. If that fails too, set the clock of the phone.",
        )
    factor = TOTP.activate(user, secret).instance
    _note_step(factor, step)
    codes = _new_codes(user)
    record_session(user=user, action=AuditAction.MFA_ENABLED, ip=ip)
    return codes


@transaction.atomic
def switch_off(*, user: User, ip: str = "") -> None:
    """Ask for the password alone again; the recovery codes are gone too."""
    _remove(user)
    record_session(user=user, action=AuditAction.MFA_DISABLED, ip=ip)


@transaction.atomic
def make_recovery_codes(*, user: User, ip: str = "") -> list[str]:
    """New recovery codes in place of the old ones, which stop working."""
    user = User.objects.select_for_update().get(pk=user.pk)
    if not second_factor_of(user).is_on:
        raise Conflict("Your second factor is off.", remedy="Switch it on first.")
    codes = _new_codes(user)
    record_session(user=user, action=AuditAction.RECOVERY_CODES_MADE, ip=ip)
    return codes


@transaction.atomic
def remove_second_factor(*, user: User, actor: Actor) -> None:
    """For somebody who has lost both the app and the recovery codes. Operators only."""
    if actor.kind != "operator":
        raise PermissionDenied("Only operators remove the second factor of somebody else.")
    _remove(user)
    tell_all(user, actor, AuditAction.MFA_REMOVED, {})


@transaction.atomic
def prove(*, user: User, code: str, ip: str = "") -> Authenticator | None:
    """The factor that ``code`` proves, spent with it; None for a wrong code and for one that was used before.

    Callers limit the attempts; those that fail are in the log.
    """
    for factor in _factors(user).select_for_update():
        if _spend(factor, code):
            factor.user = user
            factor.record_usage()
            return factor
    record_session(
        user=user,
        action=AuditAction.SIGN_IN_FAILED,
        ip=ip,
        proven=False,
        changes={"step": [None, "second factor"]},
    )
    return None


def _setup_cipher() -> Fernet:
    return Fernet(urlsafe_b64encode(signing_key("set-up of a second factor")))


def _factors(user: User) -> QuerySet[Authenticator]:
    """The app before the recovery codes: a code of the app must not cost one of those."""
    rows: QuerySet[Authenticator] = Authenticator.objects.filter(
        user=user, type__in=(_TOTP, _RECOVERY)
    )
    return rows.order_by("-type")


def _left_of(codes: Authenticator) -> int:
    """How many are unused; told without reading them."""
    used: int = codes.data["used_mask"]
    return int(app_settings.RECOVERY_CODE_COUNT) - used.bit_count()


def _remove(user: User) -> None:
    removed, _per_model = _factors(user).delete()
    if not removed:
        raise Conflict("The second factor is off already.")


def _new_codes(user: User) -> list[str]:
    _factors(user).filter(type=_RECOVERY).delete()
    codes: list[str] = RecoveryCodes.activate(user).generate_codes()
    return codes


def _spend(factor: Authenticator, code: str) -> bool:
    if factor.type == _RECOVERY:
        return bool(RecoveryCodes(factor).validate_code(code))
    step = _step_of(decrypt(factor.data["secret"]), code)
    # Whoever looks over a shoulder must not use what they saw: no code counts twice, nor one before it.
    if step is None or step <= factor.data.get("last_step", 0):
        return False
    _note_step(factor, step)
    return True


def _note_step(factor: Authenticator, step: int) -> None:
    factor.data["last_step"] = step
    factor.save(update_fields=["data"])


def _step_of(secret: str, code: str) -> int | None:
    """The number of the half minute to which ``code`` belongs, if that is about now."""
    now = int(time.time()) // int(app_settings.TOTP_PERIOD)
    for step in range(now - _TOLERANCE, now + _TOLERANCE + 1):
        expected = format_hotp_value(hotp_value(secret, step))
        if compare_user_code(actual=code, expected=expected):
            return step
    return None
