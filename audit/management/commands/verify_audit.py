"""``datanika verify_audit``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from audit import database, verification
from common.errors import UserError


class Command(BaseCommand):
    help = (
        "Verify the audit log: whether every event is what was written, in its order, and none is missing or was put in"
        " between. Status 1 when something is wrong. Example: datanika verify_audit --organization acme"
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only the chain of this one")
        parser.add_argument(
            "--anchors",
            action="store_true",
            help="print where each chain ends, a line each, to keep where this database cannot reach",
        )
        parser.add_argument(
            "--against",
            metavar="FILE",
            help="also check that the chains go through the anchors of this file",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chains = self._chains(options["organization"])
        kept = self._kept(options["against"], chains)
        if options["anchors"]:
            for anchor in verification.anchors(chains):
                self.stdout.write(anchor.as_line())
            return
        tally, notes = verification.Tally(), list[str]()
        if not database.is_installed():
            tally.findings += 1
            self.stdout.write(
                "Triggers of the log are missing: run migrate, which makes them again."
            )
        for finding in verification.verify(tally, chains=chains):
            self.stdout.write(str(finding))
        for finding in verification.check_anchors(kept, notes):
            tally.findings += 1
            self.stdout.write(str(finding))
        for note in notes:
            self.stdout.write(f"Note: {note}")
        chained = "1 chain" if tally.chains == 1 else f"{tally.chains:,} chains"
        self.stdout.write(f"{tally.events:,} events in {chained} checked, {len(kept)} anchors.")
        if tally.findings:
            wrong = "1 thing is" if tally.findings == 1 else f"{tally.findings:,} things are"
            self.stdout.write(f"{wrong} wrong.")
            sys.exit(1)
        self.stdout.write("Everything is as it was written.")

    def _chains(self, slug: str | None) -> list[int] | None:
        if slug is None:
            return None
        found = apps.get_model("tenants", "Organization").objects.filter(slug=slug).first()
        if found is None:
            raise CommandError(f"There is no organization {slug!r}.")
        return [found.pk]

    def _kept(self, file: str | None, chains: list[int] | None) -> list[verification.Anchor]:
        if file is None:
            return []
        try:
            found = verification.read_anchors(Path(file).read_text("utf-8").splitlines())
        except (OSError, UserError, UnicodeDecodeError) as error:
            raise CommandError(f"{file}: {error}") from None
        return [anchor for anchor in found if chains is None or anchor.chain in chains]
