"""What has to be true before anything is served: a migrated database and collected static files."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

from common.errors import UserError
from datanika_site.file_broker import forget_messages

#: A migrated database and the static files; loads need more.
LEAST_FREE_MB = 64


def prepare() -> None:
    """Migrate and collect, doing nothing where nothing has changed."""
    _check_disk()
    try:
        pending = _pending_migrations()
    except OperationalError as error:
        raise UserError(
            "The metadata database does not answer.",
            field="DATABASE_URL",
            remedy="Check that it runs and that DATABASE_URL is right.",
            detail=str(error),
        ) from None
    if pending:
        call_command("migrate", verbosity=0, interactive=False)
    _collect_static()


def forget_old_bells() -> None:
    """With the broker of files: what an earlier start left unheard means nothing now."""
    if settings.CELERY_BROKER_URL.startswith("files:"):
        options: dict[str, Any] = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        forget_messages(Path(options["data_folder_in"]))


def _pending_migrations() -> bool:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _check_disk() -> None:
    """Say now what would otherwise surface as a half-written file."""
    data = Path(settings.DATA_DIR)
    free = shutil.disk_usage(data).free // 1024**2
    if free < LEAST_FREE_MB:
        raise UserError(
            f"The disk of the data directory {data.name!r} is full: {free} MB are left.",
            field="DATANIKA_DATA_DIR",
            remedy=f"Free some space ({LEAST_FREE_MB} MB at least), then start again.",
        )
    probe = data / ".probe"
    try:
        data.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0" * 65536)
    except OSError as error:
        raise UserError(
            f"The data directory {data.name!r} cannot be written: {error.strerror}.",
            field="DATANIKA_DATA_DIR",
            remedy="Free some space or give the directory to this user, then start again.",
        ) from None
    finally:
        probe.unlink(missing_ok=True)


def _collect_static() -> None:
    """Hashed file names need a collected copy; it is made again when a source file changed."""
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    current = _static_fingerprint()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == current:
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(current, encoding="utf-8")


def _static_fingerprint() -> str:
    digest = hashlib.sha256()
    for root in settings.STATICFILES_DIRS:
        for path in sorted(Path(root).rglob("*")):
            if path.is_file():
                stat = path.stat()
                digest.update(f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
