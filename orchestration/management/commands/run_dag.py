"""``datanika run_dag ORG``."""

import argparse
from typing import Any

from orchestration.management.run_command import RunCommand
from orchestration.requests import DAG


class Command(RunCommand):
    help = (
        "Run the whole graph of an organization, or a selection of it."
        " Example: datanika run_dag acme --select '+fct_orders' --wait"
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("organization", metavar="ORG")
        parser.add_argument(
            "--select", default="", help="slug, name, +upstream, downstream+, tag:x"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.start(options["organization"], DAG, options["select"], options)
