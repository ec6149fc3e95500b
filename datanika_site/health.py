"""What ``doctor`` looks at: each finding is one line with a remedy where something is wrong."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import OperationalError
from kombu.exceptions import OperationalError as BrokerError

from audit import database as audit_database
from common import row_security
from common.children.box import active_protections
from common.crypto import encryption_keys
from common.errors import DatanikaError
from connections import runner
from datanika_site import operations
from datanika_site.celery import app
from datanika_site.operations import Finding

#: A load writes its packages beside the data before it commits them.
FREE_GIB = 2
#: Below it not even a small run can be counted on.
LEAST_GIB = 0.2
MOST_THREADS = 1


def findings(*, with_engines: bool = True) -> Iterator[Finding]:
    """Everything, the cheap things first; the engines take seconds to start."""
    yield Finding("Python", "ok", ".".join(str(part) for part in sys.version_info[:3]))
    yield Finding("Mode", "ok", "embedded" if settings.EMBEDDED else "distributed")
    yield _keys()
    yield _disk()
    yield from _database()
    yield _broker()
    for protection in active_protections():
        status = "ok" if protection.active else "warn"
        yield Finding(f"Sandbox: {protection.name}", status, protection.detail)
    if with_engines:
        yield from _engines()


def _keys() -> Finding:
    count = len(encryption_keys())
    text = f"{count} encryption key(s), from {settings.KEYS_SOURCE}"
    if count > 1:
        remedy = "See what hangs on the older: datanika rotate_encryption_key --check"
        return Finding("Keys", "ok", text, remedy)
    return Finding("Keys", "ok", text)


def _disk() -> Finding:
    # Made by the first who needs it; a page may ask before.
    Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(Path(settings.DATA_DIR)).free / 1024**3
    text = f"{free:.1f} GiB free in the data directory"
    if free < LEAST_GIB:
        return Finding("Disk", "failed", text, "Free some space: runs fail without it.")
    if free < FREE_GIB:
        return Finding("Disk", "warn", text, "Free some space: loads need room for their packages.")
    return Finding("Disk", "ok", text)


def _database() -> Iterator[Finding]:
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        connection.ensure_connection()
    except OperationalError as error:
        said = str(error).splitlines()[0]
        yield Finding(
            "Database", "failed", said, "Check that it runs and that DATABASE_URL is right."
        )
        return
    yield Finding("Database", "ok", f"{connection.vendor} answers")
    if connection.vendor == "postgresql":
        yield _row_security(connection)
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        text = f"{len(pending)} migration(s) are not applied"
        yield Finding("Migrations", "failed", text, "Run: datanika migrate")
    else:
        yield Finding("Migrations", "ok", "all applied")
        yield _audit_log()
        yield from operations.findings()


def _row_security(connection: BaseDatabaseWrapper) -> Finding:
    if missing := row_security.unprotected(connection):
        text = f"{len(missing)} table(s) have no policy: {', '.join(missing[:5])}"
        return Finding("Row-level security", "failed", text, "Run: datanika migrate")
    if row_security.is_bypassed(connection):
        text = "the role of DATABASE_URL is a superuser or has BYPASSRLS, so PostgreSQL lets it see every row"
        remedy = "Let a role without these rights own the database: docs/row-security.md."
        return Finding("Row-level security", "warn", text, remedy)
    return Finding("Row-level security", "ok", "each organization sees only its own rows")


def _audit_log() -> Finding:
    if not audit_database.is_installed():
        text = "triggers that link events and refuse changes are missing"
        return Finding("Audit log", "failed", text, "Run: datanika migrate")
    return Finding("Audit log", "ok", "append-only; datanika verify_audit verifies it")


def _broker() -> Finding:
    kind = settings.CELERY_BROKER_URL.partition(":")[0]
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=3)
    except (BrokerError, OSError) as error:
        remedy = "Check that it runs and that CELERY_BROKER_URL is right."
        return Finding("Broker", "failed", f"{kind}: {error}", remedy)
    return Finding("Broker", "ok", f"{kind} answers")


def _engines() -> Iterator[Finding]:
    try:
        report = runner.try_preloads()
    except DatanikaError as error:
        yield Finding("Engines", "failed", error.message, error.remedy)
        return
    for module, reason in report.failed.items():
        yield Finding("Engines", "failed", f"{module}: {reason}", "Install Datanika again.")
    if report.threads > MOST_THREADS:
        text = f"the warm parent has {report.threads} threads"
        yield Finding("Engines", "warn", text, "A library starts threads at import; report this.")
    if not report.failed:
        yield Finding("Engines", "ok", "dlt and dbt are loaded")
