"""What the services of this app share."""

import hashlib

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from common.access import Role, is_at_least
from common.errors import UserError
from tenants.actors import Actor
from tenants.errors import RoleTooHigh


def hash_token(token: str) -> str:
    """SHA-256 suffices: the token is 32 random bytes, not a password a person chose."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_grant(actor: Actor, role: Role) -> None:
    """Nobody gives, changes or takes a role above their own."""
    if not is_at_least(actor.role, role):
        raise RoleTooHigh(
            f"As {actor.role} you cannot give or change the role {role}.",
            field="role",
            remedy="Ask an owner of the organization.",
        )


def required(text: str, field: str) -> str:
    text = text.strip()
    if not text:
        raise UserError("A name is needed.", field=field)
    if len(text) > 80:
        raise UserError("The name is longer than 80 characters.", field=field)
    return text


def email_address(text: str) -> str:
    """The address in lower case, or ``UserError``."""
    text = text.strip().lower()
    try:
        validate_email(text)
    except ValidationError:
        raise UserError(
            f"{text!r} is not an e-mail address.", field="email", remedy="Write name@example.com."
        ) from None
    return text
