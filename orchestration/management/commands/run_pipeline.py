"""``datanika run_pipeline ORG/SLUG``."""

import argparse
from typing import Any

from common.errors import UserError
from orchestration.management.run_command import RunCommand


class Command(RunCommand):
    help = "Run a pipeline. Example: datanika run_pipeline acme/shop-orders --wait"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("pipeline", metavar="ORG/SLUG")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        organization, slash, slug = options["pipeline"].partition("/")
        if not slash or not slug:
            raise UserError(
                f"{options['pipeline']!r} is not ORG/SLUG.", remedy="Write acme/shop-orders."
            )
        self.start(organization, f"pipeline:{slug}", "", options)
