"""The console command ``datanika``: Django's commands, with our errors as one sentence."""

import os
import sys


def main() -> None:
    """Run a command; a ``DatanikaError`` is printed as what it is and ends with status 1."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datanika_site.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from common.errors import DatanikaError

    try:
        execute_from_command_line(sys.argv)
    except DatanikaError as error:
        sys.exit(f"datanika: {error}")
    except ImproperlyConfigured as error:
        sys.exit(f"datanika: {error}")
