"""Secrets at rest: a JSON field encrypted with MultiFernet, whose first key encrypts and all keys decrypt."""

import hmac
import json
import logging
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from common.errors import DatanikaError

logger = logging.getLogger("datanika.keys")

#: A key that is added to the file of the keys reaches a running process after so long, or when it is needed.
KEYS_SECONDS = 3.0

Keys = tuple[str, ...]


class SecretUnreadable(DatanikaError):
    """A stored secret cannot be decrypted with the keys of this installation."""

    code = "secret_unreadable"


@lru_cache(maxsize=4)
def _fernet(keys: Keys) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encryption_keys(*, fresh: bool = False) -> Keys:
    """The keys in force, the newest first; ``fresh`` asks the file for them, where they come from one."""
    global _remembered  # noqa: PLW0603 - one memory per process
    read: Callable[[], list[str]] | None = settings.READ_ENCRYPTION_KEYS
    if read is None:
        return tuple(settings.CREDENTIAL_ENCRYPTION_KEYS)
    now = time.monotonic()
    if _remembered and not fresh and now - _remembered[0] < KEYS_SECONDS:
        return _remembered[1]
    try:
        keys = tuple(read())
    except (ImproperlyConfigured, OSError, ValueError) as error:
        # Half written, or wrong: what has worked so far goes on working.
        logger.warning("the encryption keys could not be read again: %s", type(error).__name__)
        keys = _remembered[1] if _remembered else tuple(settings.CREDENTIAL_ENCRYPTION_KEYS)
    _remembered = (now, keys)
    return keys


_remembered: tuple[float, Keys] | None = None


def cipher() -> MultiFernet:
    return _fernet(encryption_keys())


def encrypt_text(text: str) -> str:
    return cipher().encrypt(text.encode()).decode()


def decrypt_text(token: str) -> str:
    """What ``encrypt_text`` made the token of; ``SecretUnreadable`` when no key fits."""
    return _decrypted(token).decode()


def encrypt(value: dict[str, Any]) -> str:
    return encrypt_text(json.dumps(value, separators=(",", ":")))


def decrypt(token: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(_decrypted(token))
    return value


def is_newest(token: str) -> bool:
    """Whether the first of the keys encrypted it."""
    try:
        _fernet(encryption_keys()[:1]).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def renewed(token: str) -> str:
    """The same secret, encrypted with the first of the keys."""
    try:
        return cipher().rotate(token.encode()).decode()
    except InvalidToken:
        raise _unreadable() from None


def _decrypted(token: str) -> bytes:
    try:
        return cipher().decrypt(token.encode())
    except InvalidToken:
        pass
    try:
        # Somebody else may have encrypted it with a key that came after this process.
        return _fernet(encryption_keys(fresh=True)).decrypt(token.encode())
    except InvalidToken:
        raise _unreadable() from None


def _unreadable() -> SecretUnreadable:
    return SecretUnreadable(
        remedy="Put the key that encrypted it back into DATANIKA_ENCRYPTION_KEYS, after the"
        " newest key, or enter the secret again."
    )


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
