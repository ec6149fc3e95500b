"""Rules for new passwords besides Django's (``AUTH_PASSWORD_VALIDATORS``)."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

#: Hashing takes any length; no person types more.
LONGEST = 4096
FEWEST_CHARACTERS = 4


class LengthBound:
    """No more than ``LONGEST`` characters."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if len(password) > LONGEST:
            message = ngettext(
                "This password is longer than %(n)d character.",
                "This password is longer than %(n)d characters.",
                LONGEST,
            )
            raise ValidationError(message, code="password_too_long", params={"n": LONGEST})

    def get_help_text(self) -> str:
        return _("Your password can have up to %(n)d characters.") % {"n": LONGEST}


class DifferentCharacters:
    """“aaaaaaaaaa” is long and no secret."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if len(set(password)) < FEWEST_CHARACTERS:
            raise ValidationError(
                _(
                    "This password repeats the same few characters. Use at least %(n)d different ones."
                ),
                code="password_too_uniform",
                params={"n": FEWEST_CHARACTERS},
            )

    def get_help_text(self) -> str:
        return _("Your password must have at least %(n)d different characters.") % {
            "n": FEWEST_CHARACTERS
        }
