"""``datanika backfill ORG/SLUG --resource orders --from 2024-01-01 --to 2024-02-01 --slice "1 day"``."""

import argparse
import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.errors import NotFound, UserError
from orchestration import services
from orchestration.backfill_page import progress_of, shown_status, slices_of
from orchestration.models import Backfill, BackfillStatus
from orchestration.services.backfills import Plan
from orchestration.slices import proposed_size
from pipelines.models import Pipeline
from tenants.actors import Actor
from tenants.models import Organization

LOOK_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Delete a range of a table's cursor and load it again, in slices. Example: datanika backfill"
        ' acme/shop-orders --resource orders --from 2024-01-01 --to 2024-02-01 --slice "1 day" --wait'
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("pipeline", metavar="ORG/PIPELINE")
        parser.add_argument("--resource", required=True, help="a table with a cursor")
        parser.add_argument(
            "--from", required=True, dest="cursor_from", metavar="VALUE", help="where it begins"
        )
        parser.add_argument(
            "--to",
            required=True,
            dest="cursor_to",
            metavar="VALUE",
            help="where it ends, itself not part of it",
        )
        parser.add_argument(
            "--slice",
            default="",
            dest="slice_size",
            metavar="SIZE",
            help='"1 day", "6 hours", "1 month" or a number; proposed by the length of the range',
        )
        parser.add_argument(
            "--preview", action="store_true", help="show slices and rows, start nothing"
        )
        parser.add_argument("--wait", action="store_true", help="wait until it has ended or paused")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        pipeline = _pipeline(options["pipeline"])
        asked = {name: options[name] for name in ("resource", "cursor_from", "cursor_to")}
        size = options["slice_size"] or proposed_size(options["cursor_from"], options["cursor_to"])
        if options["preview"]:
            plan = services.plan_backfill(pipeline=pipeline, slice_size=size, **asked)
            self._preview(plan, as_json=options["json"])
            return
        backfill = services.request_backfill(
            organization=pipeline.organization,
            actor=Actor.operator(),
            pipeline=pipeline,
            slice_size=size,
            **asked,
        )
        if options["wait"]:
            self._follow(backfill, quiet=options["json"])
        self._report(backfill, as_json=options["json"])
        if options["wait"] and backfill.status != BackfillStatus.SUCCEEDED:
            raise CommandError(f"{backfill} {backfill.status}: {backfill.problem}".rstrip(": "))

    def _preview(self, plan: Plan, *, as_json: bool) -> None:
        estimate, problem = None, ""
        try:
            estimate = services.estimate_backfill(plan)
        except UserError as error:
            problem = str(error)
        rows = estimate.source_rows if estimate else None
        replaced = estimate.target_rows if estimate else None
        if as_json:
            slices = [{"cursor_from": one.begin, "cursor_to": one.end} for one in plan.slices]
            data = {
                "slices": slices,
                "source_rows": rows,
                "target_rows": replaced,
                "problem": problem,
            }
            self.stdout.write(json.dumps(data, indent=2))
            return
        for number, one in enumerate(plan.slices, start=1):
            self.stdout.write(f"{number:4}  {one.begin} up to {one.end}")
        self.stdout.write(f"{len(plan.slices)} slices of {plan.slice_size}; nothing was started.")
        if problem:
            self.stdout.write(f"The rows could not be counted: {problem}")
            return
        self.stdout.write(
            f"Rows at the source: {_shown(rows)}; to be replaced: {_shown(replaced)}."
        )

    def _follow(self, backfill: Backfill, *, quiet: bool) -> None:
        said: dict[int, str] = {}
        while True:
            backfill.refresh_from_db()
            # Looked at after the status: what ended before it is said.
            for one in slices_of(backfill).filter(ended_at__isnull=False):
                text = f"{one.status} {one.attempts}"
                if said.get(one.position) == text:
                    continue
                said[one.position] = text
                if not quiet:
                    words = f"slice {one.position} from {one.range_from} up to {one.range_to}"
                    self.stdout.write(f"{one.ended_at:%H:%M:%S} {words}: {one.status}")
            if backfill.status != BackfillStatus.RUNNING and not progress_of(backfill).running:
                return
            time.sleep(LOOK_SECONDS)

    def _report(self, backfill: Backfill, *, as_json: bool) -> None:
        backfill.refresh_from_db()
        progress = progress_of(backfill)
        if not as_json:
            done = f"{progress.succeeded} of {progress.total} slices have succeeded"
            self.stdout.write(
                f"{backfill} of {backfill.pipeline.name}: {backfill.status}, {done},"
                f" {progress.rows_loaded:,} rows."
            )
            return
        data = {
            "number": backfill.number,
            "status": backfill.status,
            "problem": backfill.problem,
            "rows_loaded": progress.rows_loaded,
            "slices": [
                {
                    "position": one.position,
                    "cursor_from": one.range_from,
                    "cursor_to": one.range_to,
                    "status": shown_status(one),
                    "run": one.run.number if one.run else None,
                }
                for one in slices_of(backfill)
            ],
        }
        self.stdout.write(json.dumps(data, indent=2))


def _pipeline(text: str) -> Pipeline:
    organization, slash, slug = text.partition("/")
    if not slash or not slug:
        raise UserError(f"{text!r} is not ORG/PIPELINE.", remedy="Write acme/shop-orders.")
    found = Organization.objects.filter(slug=organization).first()
    if found is None:
        raise NotFound(
            f"There is no organization {organization!r}.", remedy="Write its slug before the slash."
        )
    rows = Pipeline.objects.for_organization(found)
    pipeline = (
        rows.select_related("source", "destination", "organization").filter(slug=slug).first()
    )
    if pipeline is None:
        known = ", ".join(rows.values_list("slug", flat=True)[:10]) or "none yet"
        raise NotFound(f"There is no pipeline {slug!r}.", remedy=f"There are: {known}.")
    return pipeline


def _shown(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"
