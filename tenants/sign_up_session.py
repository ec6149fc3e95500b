"""What a browser remembers between a sign-up and the link in the mail.

Kept alike for known and unknown addresses, so that nothing shows which it was.
"""

import secrets

from allauth.account.utils import get_next_redirect_url
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from tenants.models import User
from tenants.proofs import mark_of

_KEY = "sign_up"


def begin(request: HttpRequest, email: str, user: User | None) -> None:
    """Remember that this browser gave the address and, for ``user``, the right password."""
    request.session[_KEY] = {
        "email": email,
        "mark": mark_of(user) if user else secrets.token_hex(16),
        "next": get_next_redirect_url(request) or "",
    }


def email_of(request: HttpRequest) -> str:
    """The address that waits for its proof, or nothing."""
    return str(request.session.get(_KEY, {}).get("email", ""))


def knows_password(request: HttpRequest, user: User) -> bool:
    """Whether this browser gave the password that the account has now."""
    mark = str(request.session.get(_KEY, {}).get("mark", ""))
    return constant_time_compare(mark, mark_of(user))


def end(request: HttpRequest) -> str:
    """Forget it; where the person wanted to go."""
    return str((request.session.pop(_KEY, None) or {}).get("next", ""))
