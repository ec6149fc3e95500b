"""The time that leases and due times go by: one for all machines, whatever their own clocks say."""

from datetime import datetime

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """The clock of the database's machine; SQLite lies on ours."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        # Not the beginning of the transaction: it may have waited for a lock.
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
