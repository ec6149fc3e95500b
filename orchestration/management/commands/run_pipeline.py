"""``datanika run_pipeline ORG/SLUG``."""

import argparse
from typing import Any

from common.errors import UserError
from orchestration.management.run_command import RunCommand

_ASKED = ("tables", "cursor_from", "cursor_to", "replay_rejects")


class Command(RunCommand):
    help = (
        "Run a pipeline. Examples: datanika run_pipeline acme/shop-orders --wait;"
        " datanika run_pipeline acme/shop --table orders --from 2024-01-01 --to 2024-02-01"
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("pipeline", metavar="ORG/SLUG")
        parser.add_argument(
            "--table",
            action="append",
            default=[],
            dest="tables",
            metavar="NAME",
            help="only this table; give it again for more",
        )
        parser.add_argument(
            "--from",
            default="",
            dest="cursor_from",
            metavar="VALUE",
            help="delete and load again the rows of one table from this value of its cursor on",
        )
        parser.add_argument(
            "--to",
            default="",
            dest="cursor_to",
            metavar="VALUE",
            help="the end of that range, itself not part of it",
        )
        parser.add_argument(
            "--replay-rejects", action="store_true", help="try the rejected rows again"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        organization, slash, slug = options["pipeline"].partition("/")
        if not slash or not slug:
            raise UserError(
                f"{options['pipeline']!r} is not ORG/SLUG.", remedy="Write acme/shop-orders."
            )
        asked = {name: options[name] for name in _ASKED}
        self.start(organization, f"pipeline:{slug}", "", options, **asked)
