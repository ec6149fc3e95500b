"""The console command ``datanika``: Django's commands, with our errors as one sentence."""

import errno
import os
import sys


def main() -> None:
    """Run a command; a ``DatanikaError`` is printed as what it is and ends with status 1."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datanika_site.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError

    from common.errors import DatanikaError

    try:
        execute_from_command_line(sys.argv)
    except (DatanikaError, ImproperlyConfigured) as error:
        sys.exit(f"datanika: {error}")
    except OperationalError as error:
        # Full, unreachable or locked: the database's own words say which.
        said = str(error).strip().splitlines()[0]
        sys.exit(
            f"datanika: The metadata database refused: {said}. Put that right, then try again."
        )
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit("datanika: The disk is full. Free some space, then run the command again.")
