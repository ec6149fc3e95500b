"""How allauth fits in: no open sign-up, our names, our audit."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from tenants.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People come by invitation, or as the first of an installation."""
        return False

    def clean_email(self, email: str) -> str:
        return str(super().clean_email(email)).lower()


def display_name(user: Any) -> str:
    return user.display_name if isinstance(user, User) else ""
