"""``datanika up``: everything from one terminal."""

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from datanika_site.preparation import forget_old_bells, prepare
from datanika_site.processes import become_supervisor, check_port


class Command(BaseCommand):
    help = "Start web, worker and beat; Ctrl-C ends all three. Example: datanika up --port 8000"
    # Preparation migrates; checks that need the database come after it.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        check_port(host, port)
        self.stdout.write("Preparing the database and the static files …")
        prepare()
        forget_old_bells()
        mode = "SQLite, no broker server" if settings.EMBEDDED else "PostgreSQL"
        shown = "localhost" if host in {"127.0.0.1", "0.0.0.0", "::"} else host  # noqa: S104
        self.stdout.write(f"Datanika is at http://{shown}:{port}/ ({mode}). Ctrl-C ends it.")
        become_supervisor(host, port)
