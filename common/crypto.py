"""Secrets at rest: a JSON field encrypted with MultiFernet, whose first key encrypts and all keys decrypt."""

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from common.errors import DatanikaError


class SecretUnreadable(DatanikaError):
    """A stored secret cannot be decrypted with the keys of this installation."""

    code = "secret_unreadable"


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    return _fernet(tuple(settings.CREDENTIAL_ENCRYPTION_KEYS))


def encrypt(value: dict[str, Any]) -> str:
    return cipher().encrypt(json.dumps(value, separators=(",", ":")).encode()).decode()


def decrypt(token: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(cipher().decrypt(token.encode()))
    except InvalidToken:
        raise SecretUnreadable(
            remedy="Put the key that encrypted it back into DATANIKA_ENCRYPTION_KEYS, after the"
            " newest key, or enter the secret again."
        ) from None
    return value


if TYPE_CHECKING:
    _TextField = models.TextField[dict[str, Any], dict[str, Any]]
else:
    # Django's fields take type arguments in their stubs only.
    _TextField = models.TextField


class EncryptedJSONField(_TextField):
    """A dict that only this process reads: the column holds a Fernet token."""

    description = "Encrypted JSON"

    def from_db_value(
        self, value: str | None, expression: object, connection: object
    ) -> dict[str, Any]:
        return decrypt(value) if value else {}

    def get_prep_value(self, value: Any) -> str:
        return encrypt(value) if value else ""

    def to_python(self, value: Any) -> dict[str, Any]:
        return value if isinstance(value, dict) else {}

    def value_to_string(self, obj: models.Model) -> str:
        # Serializers (dumpdata) get the token, never the text.
        return self.get_prep_value(self.value_from_object(obj))
