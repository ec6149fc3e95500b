"""``datanika demo``: real data from files and databases to marts, then the address to look at it."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.supervisor import Supervisor
from datanika_site.demo.build import EMAIL, PASSWORD, Demo, build, check_connections, count_flights
from datanika_site.demo.summary import summary_lines
from datanika_site.preparation import forget_old_bells, prepare
from datanika_site.processes import check_port, supervisor_of
from orchestration import services
from orchestration.following import follow, progress_of
from orchestration.models import Run, Status, Trigger

FLIGHTS = 336_776


class Command(BaseCommand):
    help = (
        "Build the demo organization from the New York flights of 2013, run its whole graph, then serve it."
        " Example: datanika demo --no-serve"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="end after the summary")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")
        parser.add_argument(
            "--source-url",
            default="",
            help="put flights and planes into this PostgreSQL database instead of SQLite",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        serve = not options["no_serve"]
        if serve:
            check_port(options["host"], options["port"])
        self.stdout.write("Preparing the database and the static files …")
        prepare()
        forget_old_bells()
        port = options["port"] if serve else 0
        supervisor = supervisor_of(say=self.stdout.write, host=options["host"], port=port)
        supervisor.start()
        try:
            # Meanwhile the worker imports dlt and dbt.
            self.stdout.write(
                "Putting the flights of 2013 into the source, making the organization …"
            )
            demo = build(options["source_url"])
            run = self._run(demo, supervisor)
            self._summary(demo, run)
            if serve:
                self.stdout.write("Checking the connections …")
                check_connections(demo)
        except BaseException:
            supervisor.stop()
            raise
        if serve:
            self.stdout.write(f"\nDatanika is at http://localhost:{options['port']}/")
            self.stdout.write(f"Sign in as {EMAIL} with the password {PASSWORD}. Ctrl-C ends it.")
            supervisor.run()
        else:
            supervisor.stop()

    def _run(self, demo: Demo, supervisor: Supervisor) -> Run:
        run = services.request_run(
            organization=demo.organization,
            actor=demo.actor,
            target="dag",
            trigger=Trigger.COMMAND,
        )
        self.stdout.write(f"Running the whole graph (run #{run.number}):")

        def look() -> None:
            supervisor.look(patience=2)
            self._progress(progress_of(run))

        for line in follow(run, look):
            if line.level != "debug":
                self._progress("")
                self.stdout.write(f"  {line.at:%H:%M:%S} {line.level:5} {line.scope}: {line.text}")
        self._progress("")
        return run

    def _progress(self, text: str) -> None:
        """One line that is drawn over, on a terminal only."""
        if sys.stdout.isatty():
            self.stdout.write(f"\r\033[K{text[:100]}", ending="\r")
            self.stdout.flush()

    def _summary(self, demo: Demo, run: Run) -> None:
        for line in summary_lines(run):
            self.stdout.write(line)
        if run.status != Status.SUCCEEDED:
            raise CommandError(f"Run #{run.number} {run.status}: {run.error} {run.error_remedy}")
        flights = count_flights(demo)
        self.stdout.write(f"\nflights in the warehouse: {flights:,} rows")
        if flights != FLIGHTS:
            raise CommandError(f"Expected {FLIGHTS:,} flights, found {flights:,}.")
