"""``datanika doctor``: is this installation well?"""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from datanika_site.health import findings

_MARKS = {"ok": "ok  ", "warn": "warn", "failed": "FAIL"}


class Command(BaseCommand):
    help = (
        "Check keys, disk, database, workers, queue, scheduler, retention, limits, broker, sandbox and engines;"
        " status 1 when something has failed."
        " Example: datanika doctor --json"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for finding in findings():
            found.append(finding)
            if not options["json"]:
                remedy = f" {finding.remedy}" if finding.remedy else ""
                line = f"{_MARKS[finding.status]}  {finding.name}: {finding.text}.{remedy}"
                self.stdout.write(line)
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in found], indent=2))
        if any(finding.status == "failed" for finding in found):
            sys.exit(1)
