"""Links that go to a mailbox: whoever opens one has shown that the address is theirs.

Nothing of them is stored. Each holds a mark of the address and the password the person had when it was
made, so it dies as soon as either changes.
"""

import hashlib
import hmac
from typing import Any

from django.core import signing
from django.utils.crypto import constant_time_compare

from common.crypto import signing_key
from common.errors import NotFound
from tenants.models import Invitation, User

#: Seconds: three days, as for the link of a password reset.
LIFE = 3 * 24 * 3600
#: Ours have some 200 characters.
LONGEST = 1000


class LinkDead(NotFound):
    """This link does not work any more."""

    code = "link_dead"


def mark_of(user: User) -> str:
    """What a browser keeps that gave this password for this address; it tells nothing of either."""
    text = f"{user.pk} {user.email} {user.password}"
    return hmac.new(signing_key("address marks"), text.encode(), hashlib.sha256).hexdigest()[:32]


def verification_token(user: User) -> str:
    return _signed("address verification", {"user": user.pk, "mark": mark_of(user)})


def read_verification(token: str) -> User:
    """Whose address the link is to prove, or ``LinkDead``."""
    return _user_of(_read("address verification", token))


def change_token(user: User, email: str) -> str:
    data = {"user": user.pk, "mark": mark_of(user), "email": email}
    return _signed("address change", data)


def read_change(token: str) -> tuple[User, str]:
    """The person and the address they want to have, or ``LinkDead``."""
    data = _read("address change", token)
    return _user_of(data), str(data["email"])


def invitation_proof(invitation: Invitation) -> str:
    """Goes with the link in the mail only: who invites sees the link, and must not prove somebody's address."""
    text = f"{invitation.token_hash} {invitation.email}"
    return hmac.new(signing_key("invitation proof"), text.encode(), hashlib.sha256).hexdigest()[:32]


def is_proof(invitation: Invitation, text: str) -> bool:
    return constant_time_compare(text, invitation_proof(invitation))


def _signed(purpose: str, data: dict[str, Any]) -> str:
    return signing.dumps(data, key=signing_key(purpose), salt=purpose)


def _read(purpose: str, token: str) -> dict[str, Any]:
    try:
        if len(token) > LONGEST:
            raise signing.BadSignature
        data: dict[str, Any] = signing.loads(
            token, key=signing_key(purpose), salt=purpose, max_age=LIFE
        )
    except (signing.BadSignature, ValueError):
        raise LinkDead from None
    return data


def _user_of(data: dict[str, Any]) -> User:
    user = User.objects.filter(pk=data["user"], is_active=True).first()
    if user is None or not constant_time_compare(mark_of(user), data["mark"]):
        raise LinkDead
    return user
