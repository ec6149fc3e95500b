"""How allauth fits in: our policy of sign-ups, our names, our words."""

import logging
import smtplib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from tenants.models import User

logger = logging.getLogger("datanika.mail")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _("The e-mail address or the password is wrong."),
        "enter_current_password": _("This is not your current password."),
        "too_many_login_attempts": _(
            "Too many failed attempts for this address. Wait five minutes, then try again."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """allauth's own form is not in use; ``tenants.sign_up_views`` has ours."""
        return False

    def get_login_stages(self) -> list[str]:
        """Ours decides who has to prove their address first."""
        own = {
            "allauth.account.stages.EmailVerificationStage": "tenants.sign_in_stages.ProofOfAddress"
        }
        return [own.get(path, path) for path in super().get_login_stages()]

    def clean_email(self, email: str) -> str:
        return str(super().clean_email(email)).lower()

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("tenants:account")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail server that is down must neither break the page nor tell who has an account."""
        try:
            super().send_mail(template_prefix, email, context)
        except (smtplib.SMTPException, OSError) as error:
            logger.error("mail not sent: %s", type(error).__name__)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """The account alone: asking by another name of this host gives no further attempts."""
        return str(credentials.get("email") or credentials.get("username") or "").strip().lower()


def display_name(user: Any) -> str:
    return user.display_name if isinstance(user, User) else ""
