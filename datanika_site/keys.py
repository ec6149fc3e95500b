"""The keys of an installation: where they come from, what passes as one, and how one replaces another."""

import json
import os
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

SECRET_KEY = "DATANIKA_SECRET_KEY"  # noqa: S105 - the name of a variable
ENCRYPTION_KEYS = "DATANIKA_ENCRYPTION_KEYS"
HASHING_KEY = "DATANIKA_HASHING_KEY"

#: What people copy from examples; no key of real data holds one of these.
PLACEHOLDERS = (
    "changeme", "change-me", "change_me", "django-insecure", "placeholder", "example", "your-secret",
    "your_secret", "yoursecret", "replace-me", "replaceme", "datanika-secret", "1234567890",
    "abcdefghij",
)  # fmt: skip
#: Whole values that are too short to be looked for within others.
DEFAULTS = frozenset({"secret", "insecure", "default", "password"})
SHORTEST = 32
#: 32 random bytes have 30 different ones on average, and practically never fewer than 20.
LEAST_VARIETY, LEAST_BYTES = 8, 16


@dataclass(frozen=True)
class Keys:
    secret_key: str
    #: The first encrypts, all decrypt.
    encryption_keys: list[str]
    #: What the keys of hashed columns are derived from; it outlives rotations.
    hashing_secret: str
    source: str
    #: The encryption keys are those of ``keys.json``, which Datanika writes itself.
    are_own: bool = False
    #: Reads the encryption keys again; None where they cannot change while the process lives.
    read_again: Callable[[], list[str]] | None = None


def secret(name: str) -> str:
    """``NAME``, or the content of the file named by ``NAME_FILE`` (Docker and Kubernetes secrets)."""
    path = os.environ.get(f"{name}_FILE", "")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: {error.strerror}: {path}") from None
    return os.environ.get(name, "").strip()


def load(data_dir: Path, *, embedded: bool) -> Keys:
    """The keys, checked. Embedded installations make theirs at the first start and keep them beside the data.

    Any other refuses to start without them.
    """
    secret_key, encryption = secret(SECRET_KEY), _split(secret(ENCRYPTION_KEYS))
    if not embedded and not (secret_key and encryption):
        raise ImproperlyConfigured(_missing(secret_key, encryption))
    stored: dict[str, Any] = {}
    path = keys_file(data_dir)
    if not (secret_key and encryption):
        stored = _stored(path)
    return _checked(
        Keys(
            secret_key=secret_key or stored["secret_key"],
            encryption_keys=encryption or stored["encryption_keys"],
            hashing_secret=hashing_secret(
                encryption or stored["encryption_keys"], stored.get("hashing_key", "")
            ),
            are_own=not encryption,
            source=f"{data_dir.name}/{path.name}" if stored else "environment",
            read_again=_reader(path, from_environment=bool(encryption)),
        )
    )


def keys_file(data_dir: Path) -> Path:
    return data_dir / "keys.json"


def hashing_secret(encryption_keys: list[str], stored: str = "") -> str:
    """What the keys of hashed columns are derived from: their own variable, else the oldest encryption key."""
    return secret(HASHING_KEY) or stored or encryption_keys[-1]


def add_encryption_key(data_dir: Path) -> None:
    """Put a new key before those of an embedded installation; every process reads it within seconds."""
    path = keys_file(data_dir)
    stored = _stored(path)
    # From now on the oldest key may go: what hashes depend on stays by its own name.
    stored.setdefault("hashing_key", stored["encryption_keys"][-1])
    stored["encryption_keys"].insert(0, Fernet.generate_key().decode())
    _replace(path, stored)


def drop_old_encryption_keys(data_dir: Path) -> int:
    """Keep the first key of an embedded installation alone; how many went."""
    path = keys_file(data_dir)
    stored = _stored(path)
    stored.setdefault("hashing_key", stored["encryption_keys"][-1])
    gone = len(stored["encryption_keys"]) - 1
    stored["encryption_keys"] = stored["encryption_keys"][:1]
    _replace(path, stored)
    return gone


def _reader(path: Path, *, from_environment: bool) -> Callable[[], list[str]] | None:
    if not from_environment:
        return partial(_read_file_again, path)
    # The variable of a process that runs cannot change, the file that it names can.
    return _read_variable_again if os.environ.get(f"{ENCRYPTION_KEYS}_FILE") else None


def _read_file_again(path: Path) -> list[str]:
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return _fernet_keys(list(stored["encryption_keys"]))


def _read_variable_again() -> list[str]:
    return _fernet_keys(_split(secret(ENCRYPTION_KEYS)))


def _stored(path: Path) -> dict[str, Any]:
    if not path.exists():
        content = {
            "secret_key": secrets.token_urlsafe(48),
            "encryption_keys": [Fernet.generate_key().decode()],
            "hashing_key": secrets.token_urlsafe(48),
        }
        # O_EXCL: two processes of one first start must not each keep their own keys.
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _stored(path)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def _replace(path: Path, content: dict[str, Any]) -> None:
    """In one step: whoever reads meanwhile sees the old keys or the new ones."""
    part = path.with_name(f"{path.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _split(text: str) -> list[str]:
    return [key.strip() for key in text.split(",") if key.strip()]


def _missing(secret_key: str, encryption: list[str]) -> str:
    missing = [] if secret_key else [SECRET_KEY]
    missing += [] if encryption else [ENCRYPTION_KEYS]
    return (
        f"{' and '.join(missing)} must be set when DATABASE_URL is. Make one with:"
        " python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
    )


def _checked(keys: Keys) -> Keys:
    _strong(keys.secret_key, SECRET_KEY)
    _fernet_keys(keys.encryption_keys)
    if keys.hashing_secret not in keys.encryption_keys:
        _strong(keys.hashing_secret, HASHING_KEY)
    # An encryption key may be the root of the hashes, from the time before they had their own: what is used is
    # derived from it. What signs sessions is shown to more code, and changes when it has leaked.
    for name, other in (
        (ENCRYPTION_KEYS, keys.encryption_keys),
        (HASHING_KEY, [keys.hashing_secret]),
    ):
        if keys.secret_key in other:
            raise ImproperlyConfigured(
                f"{SECRET_KEY} is also in {name}. Make a key of its own for each of them."
            )
    return keys


def _strong(key: str, name: str) -> None:
    lowered = key.lower()
    if len(key) < SHORTEST or lowered in DEFAULTS:
        raise ImproperlyConfigured(
            f"{name} is a default or shorter than {SHORTEST} characters. Make a long random one."
        )
    if any(word in lowered for word in PLACEHOLDERS) or len(set(key)) < LEAST_VARIETY:
        raise ImproperlyConfigured(
            f"{name} looks like a placeholder, not like a random key. Make a long random one with:"
            " python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )


def _fernet_keys(found: list[str]) -> list[str]:
    for key in found:
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"{ENCRYPTION_KEYS} holds something that is not a Fernet key (32 url-safe base64 bytes)."
            ) from None
        if len(set(_bytes_of(key))) < LEAST_BYTES:
            raise ImproperlyConfigured(
                f"{ENCRYPTION_KEYS} holds a key that is not random. Make one with: python -c"
                " 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            )
    if not found or len(set(map(_bytes_of, found))) < len(found):
        raise ImproperlyConfigured(
            f"{ENCRYPTION_KEYS} is empty or holds the same key twice. Name each key once, the newest first."
        )
    return found


def _bytes_of(key: str) -> bytes:
    return urlsafe_b64decode(key)
