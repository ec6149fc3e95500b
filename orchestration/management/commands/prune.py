"""``datanika prune``."""

import argparse
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from orchestration import retention
from orchestration.retention import database

#: The command is waited for: it goes on until nothing old is left.
DAY = 24 * 3600.0


class Command(BaseCommand):
    help = (
        "Take away what is older than the platform settings say: log lines, runs, capsules, sessions, directories."
        " It runs by itself every hour. Status 1 when something could not be taken, 2 when another prune is at it."
        " Example: datanika prune --dry-run"
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, and take nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.add_argument(
            "--seconds", type=float, default=DAY, help="stop after so long and go on next time"
        )
        parser.add_argument(
            "--vacuum",
            action="store_true",
            help="rewrite the tables afterwards and give the disk its room back; SQLite cannot be written meanwhile",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seconds"] <= 0:
            raise CommandError("--seconds has to be more than 0.")
        if options["dry_run"] and options["vacuum"]:
            raise CommandError("--dry-run takes nothing, so there is nothing to --vacuum.")
        if options["dry_run"]:
            self._dry_run(options["json"])
            return
        report = self._prune(options)
        if report.is_busy:
            sys.exit(2)
        if report.errors or (options["vacuum"] and not self._vacuum(quiet=options["json"])):
            sys.exit(1)

    def _dry_run(self, as_json: bool) -> None:
        found = retention.preview(timezone.now())
        if as_json:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for pruner in retention.all_pruners():
            self.stdout.write(f"{found[pruner.name]:>12,}  {pruner.label}")
        self.stdout.write("Nothing was taken.")

    def _prune(self, options: dict[str, Any]) -> retention.PruneReport:
        shows = not options["json"] and self.stdout.isatty()
        report = retention.prune(
            timezone.now(),
            seconds=options["seconds"],
            progress=self._progress if shows else None,
        )
        if shows:
            self.stdout.write("\r\033[K", ending="")
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), indent=2))
            return report
        if report.is_busy:
            self.stderr.write("Another prune is at it. Try again when it has ended.")
            return report
        for item in report.items:
            self.stdout.write(f"{item.taken:>12,}  {item.label}")
        for error in report.errors:
            self.stderr.write(f"Not taken: {error}")
        rest = (
            "" if report.is_complete else " The time was over before all was taken: run it again."
        )
        self.stdout.write(f"{report.taken:,} things taken in {report.seconds:.1f} s.{rest}")
        return report

    def _progress(self, item: retention.Pruned) -> None:
        self.stdout.write(f"\r\033[K{item.label}: {item.taken:,}", ending="")
        self.stdout.flush()

    def _vacuum(self, *, quiet: bool) -> bool:
        try:
            for table in database.vacuum():
                if not quiet:
                    self.stdout.write(f"Rewriting {table} …")
        except DatabaseError as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.stderr.write(
                f"Not rewritten: {said}. Stop the workers or free some disk, then try again."
            )
            return False
        return True
