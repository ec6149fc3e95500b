"""Typed readers of the few settings that must be known before the database; they fail loudly at start."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

#: Values that people copy from examples; none of them may guard real data.
KNOWN_DEFAULTS = frozenset({"changeme", "change-me", "secret", "insecure", "default", "password"})


#: A database that was cut off is noticed before a lease runs out, not after the two hours of TCP.
_ALIVE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


@dataclass(frozen=True)
class Keys:
    secret_key: str
    encryption_keys: list[str]
    source: str


def secret(name: str) -> str:
    """``NAME``, or the content of the file named by ``NAME_FILE`` (Docker and Kubernetes secrets)."""
    path = os.environ.get(f"{name}_FILE", "")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: {error.strerror}: {path}") from None
    return os.environ.get(name, "").strip()


def data_dir(path: Path) -> Path:
    """The data directory, made if it is not there; says so when that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data directory {path} cannot be made: {error.strerror}."
            " Set DATANIKA_DATA_DIR to a directory that this user may write to."
        ) from None
    return path


def keys(data_dir: Path, *, embedded: bool) -> Keys:
    """The signing key and the encryption keys.

    Embedded installations make theirs at the first start and keep them beside the data (mode 0600). Any other
    refuses to start without them.
    """
    secret_key = secret("DATANIKA_SECRET_KEY")
    encryption = [
        key.strip() for key in secret("DATANIKA_ENCRYPTION_KEYS").split(",") if key.strip()
    ]
    if secret_key and encryption:
        return Keys(_strong(secret_key), [_fernet_key(key) for key in encryption], "environment")
    if not embedded:
        missing = [] if secret_key else ["DATANIKA_SECRET_KEY"]
        missing += [] if encryption else ["DATANIKA_ENCRYPTION_KEYS"]
        raise ImproperlyConfigured(
            f"{' and '.join(missing)} must be set when DATABASE_URL is. Make one with:"
            " python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        )
    stored = _stored_keys(data_dir / "keys.json")
    return Keys(
        secret_key or stored["secret_key"],
        encryption or stored["encryption_keys"],
        f"{data_dir.name}/keys.json",
    )


def hashing_secret(encryption_keys: list[str]) -> str:
    """What the keys of hashed columns are derived from: their own variable, else the oldest encryption key."""
    own = secret("DATANIKA_HASHING_KEY")
    return _strong(own, "DATANIKA_HASHING_KEY") if own else encryption_keys[-1]


def _stored_keys(path: Path) -> dict[str, Any]:
    if not path.exists():
        content = {
            "secret_key": secrets.token_urlsafe(48),
            "encryption_keys": [Fernet.generate_key().decode()],
        }
        # O_EXCL: two processes of one first start must not each keep their own keys.
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _stored_keys(path)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def _strong(key: str, name: str = "DATANIKA_SECRET_KEY") -> str:
    if len(key) < 32 or key.lower() in KNOWN_DEFAULTS:
        raise ImproperlyConfigured(
            f"{name} is a default or shorter than 32 characters. Make a long random one."
        )
    return key


def _fernet_key(key: str) -> str:
    try:
        Fernet(key)
    except ValueError:
        raise ImproperlyConfigured(
            "DATANIKA_ENCRYPTION_KEYS holds something that is not a Fernet key (32 url-safe base64 bytes)."
        ) from None
    return key


def database(data_dir: Path) -> dict[str, Any]:
    """The metadata database: ``DATABASE_URL``, or SQLite in the data directory."""
    url = secret("DATABASE_URL")
    if url:
        if not urlsplit(url).scheme.startswith("postgres"):
            raise ImproperlyConfigured(
                "DATABASE_URL must be a postgres:// address; without it SQLite is used."
            )
        parts = env.db_url_config(url)
        parts["ENGINE"] = "common.postgres"
        parts["OPTIONS"] = _ALIVE | parts.get("OPTIONS", {})
        return {**parts, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": data_dir / "datanika.sqlite3",
        "OPTIONS": {
            # Writers queue up at BEGIN instead of failing when a read turns into a write.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            # Free pages can be given back only by a file that was made so, hence before anything is written.
            "init_command": "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
            " PRAGMA synchronous=NORMAL;",
        },
    }
