"""One consistent view of the database, for as long as a verification takes; nobody who writes waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from common import scope


@contextmanager
def snapshot() -> Iterator[None]:
    """Inside a transaction of somebody else it is that one."""
    with scope.everywhere():
        if connection.in_atomic_block:
            yield
        elif connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # The scope is told to the server before the transaction, in which it would be a query.
                cursor.execute("SELECT 1")
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield
        else:
            with connection.cursor() as cursor:
                # Not Django's own transaction: that one would keep writers out.
                cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                with connection.cursor() as cursor:
                    cursor.execute("ROLLBACK")
