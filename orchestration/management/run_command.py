"""What ``run_pipeline`` and ``run_dag`` share: request, follow, and an honest exit code."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.errors import NotFound
from orchestration import services
from orchestration.following import follow
from orchestration.models import Run, RunStep, Status, Trigger
from tenants.actors import Actor
from tenants.models import Organization


class RunCommand(BaseCommand):
    """Base of the commands that start a run."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--wait", action="store_true", help="follow the log until the end")
        parser.add_argument(
            "--full-refresh", action="store_true", help="load and build from scratch"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def start(
        self, slug: str, target: str, select: str, options: dict[str, Any], **asked: Any
    ) -> None:
        """Request the run; ``asked`` are further arguments of ``request_run``.

        With ``--wait`` a run that did not succeed ends the command with status 1.
        """
        organization = Organization.objects.filter(slug=slug).first()
        if organization is None:
            known = (
                ", ".join(Organization.objects.values_list("slug", flat=True)[:10]) or "none yet"
            )
            raise NotFound(f"There is no organization {slug!r}.", remedy=f"There are: {known}.")
        run = services.request_run(
            organization=organization,
            actor=Actor.operator(),
            target=target,
            select=select,
            trigger=Trigger.COMMAND,
            full_refresh=options["full_refresh"],
            **asked,
        )
        if options["wait"]:
            for line in follow(run):
                if not options["json"]:
                    self.stdout.write(
                        f"{line.at:%H:%M:%S} {line.level:5} {line.scope}: {line.text}"
                    )
        self._report(run, as_json=options["json"])
        if options["wait"] and run.status != Status.SUCCEEDED:
            raise CommandError(f"Run #{run.number} {run.status}: {run.error}".rstrip(": "))

    def _report(self, run: Run, *, as_json: bool) -> None:
        steps = RunStep.objects.for_organization(run.organization).filter(run=run)
        if not as_json:
            self.stdout.write(f"Run #{run.number} of {run.title}: {run.status}")
            return
        data = {
            "number": run.number,
            "status": run.status,
            "target": run.target,
            "rows_loaded": run.rows_loaded,
            "error": run.error,
            "steps": [
                {"name": s.name, "status": s.status, "attempt": s.attempt, "error": s.error}
                for s in steps
            ],
        }
        self.stdout.write(json.dumps(data, indent=2))
