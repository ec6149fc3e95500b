#!/usr/bin/env python
"""The command line of a checkout; installed, the same is ``datanika``."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said before anything newer is imported
    sys.exit(
        "Datanika needs Python 3.11 or newer; this is "
        + ".".join(str(part) for part in sys.version_info[:3])
        + ". Install a newer Python, then run the command again."
    )

from datanika_site.cli import main

if __name__ == "__main__":
    main()
