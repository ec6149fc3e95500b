"""Secrets at rest: a JSON field encrypted with MultiFernet, whose first key encrypts and all keys decrypt."""

import hmac
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
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


@lru_cache(maxsize=8)
def _purpose_key(info: str, secret: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=info.encode())
    return hkdf.derive(secret.encode())


def derived_key(purpose: str, subject: str) -> str:
    """A key of one purpose for one subject, as hexadecimal text; the same again while ``HASHING_SECRET`` stays."""
    key = _purpose_key(f"datanika {purpose}", settings.HASHING_SECRET)
    return hmac.new(key, subject.encode(), "sha256").hexdigest()


def signing_key(purpose: str) -> bytes:
    """A key that signs for one purpose alone; another one as soon as ``SECRET_KEY`` is another."""
    return _purpose_key(f"datanika signing {purpose}", settings.SECRET_KEY)


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
