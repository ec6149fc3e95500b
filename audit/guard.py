"""Events and links are deleted by retention only: it opens the guard that the database's triggers look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

#: The setting of the transaction, in PostgreSQL.
SETTING = "datanika.audit_pruner"
#: The function that SQLite's triggers ask; other programs do not have it, so they delete nothing.
FUNCTION = "audit_is_open"


@contextmanager
def opened(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """A transaction in which rows of the log may be deleted; they can never be updated."""
    connection: Any = connections[using]
    with transaction.atomic(using=using):
        if connection.vendor == "postgresql":
            _tell(connection, "on")
            yield
            # After an error the rollback takes the setting back.
            _tell(connection, "off")
            return
        connection.audit_is_open = True
        try:
            yield
        finally:
            connection.audit_is_open = False


def _tell(connection: Any, word: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT set_config('{SETTING}', %s, true)", [word])


def give_function(*, connection: Any, **_: Any) -> None:
    """A receiver of ``connection_created``."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(
            FUNCTION, 0, lambda: bool(getattr(connection, "audit_is_open", False))
        )
