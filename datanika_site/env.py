"""Typed readers of the few settings that must be known before the database; they fail loudly at start."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from datanika_site.keys import secret as secret

env = environ.Env()

#: A database that was cut off is noticed before a lease runs out, not after the two hours of TCP.
_ALIVE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


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
