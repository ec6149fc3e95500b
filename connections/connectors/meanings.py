"""What an error of a server means to a person. Child side."""

from dataclasses import dataclass

from common.errors import TransientError, UserError
from connections.connectors.base import Target


@dataclass(frozen=True)
class Meaning:
    """``message`` may name {user}, {database} and {host}."""

    message: str
    remedy: str
    field: str = ""
    transient: bool = False


GONE = Meaning("The connection to {host} was lost.", "Try again.", transient=True)


def as_error(meaning: Meaning, target: Target, detail: str = "") -> UserError:
    """The ``UserError`` (or ``TransientError``) of a meaning; the detail without any secret."""
    names = {name: target.config.get(name, "") for name in ("user", "database", "host")}
    kind = TransientError if meaning.transient else UserError
    return kind(
        meaning.message.format(**names),
        field=meaning.field,
        remedy=meaning.remedy,
        detail=without_secrets(detail, target),
    )


def without_secrets(text: str, target: Target) -> str:
    """One line of at most 500 characters, every secret of the target masked."""
    for secret in target.secrets.values():
        if secret:
            text = text.replace(secret, "***")
    return " ".join(text.split())[:500]
