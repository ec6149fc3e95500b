"""``datanika worker``: one worker process, for a machine of its own or a service manager."""

import argparse
import os
from typing import Any

from django.core.management.base import BaseCommand

from datanika_site.processes import worker_command


class Command(BaseCommand):
    help = (
        "Start a worker. SIGTERM drains it: nothing new is taken, what runs ends or is handed back."
        " Example: datanika worker --queues default,beta --slots 4"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--queues",
            default="",
            help="queues it serves, comma separated; otherwise DATANIKA_WORKER_QUEUES",
        )
        parser.add_argument(
            "--slots",
            type=int,
            default=0,
            help="steps it executes at a time; otherwise DATANIKA_WORKER_SLOTS",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        queues = [name.strip() for name in options["queues"].split(",") if name.strip()]
        environment = dict(os.environ)
        if queues:
            environment["DATANIKA_WORKER_QUEUES"] = ",".join(queues)
        if options["slots"]:
            environment["DATANIKA_WORKER_SLOTS"] = str(options["slots"])
        command = worker_command(queues)
        # In place of this process, so that signals reach the worker itself.
        os.execve(command[0], command, environment)  # noqa: S606
