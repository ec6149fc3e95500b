"""``datanika schedules ORG``: what starts when; ``--pause-all`` before maintenance, ``--resume-all`` after it."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from common.errors import NotFound
from orchestration import cron, services
from orchestration.models import Schedule
from orchestration.schedule_page import state_of
from orchestration.selectors import schedules_of
from tenants.actors import Actor
from tenants.models import Organization


class Command(BaseCommand):
    help = (
        "List the schedules of an organization, or pause and resume all of them."
        " Example: datanika schedules acme --pause-all"
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("organization", metavar="ORG")
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--pause-all", action="store_true", help="nothing starts by itself")
        either.add_argument(
            "--resume-all", action="store_true", help="missed times are not made up for"
        )
        parser.add_argument("--json", action="store_true", help="print the list as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.filter(slug=options["organization"]).first()
        if organization is None:
            known = Organization.objects.values_list("slug", flat=True)[:10]
            raise NotFound(
                f"There is no organization {options['organization']!r}.",
                field="organization",
                remedy=f"There are: {', '.join(known) or 'none yet'}.",
            )
        if options["pause_all"]:
            services.pause_all_schedules(organization=organization, actor=Actor.operator())
        if options["resume_all"]:
            services.resume_all_schedules(organization=organization, actor=Actor.operator())
        organization.refresh_from_db()
        rows = schedules_of(organization)
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(row) for row in rows], indent=2))
            return
        if organization.schedules_paused_at:
            who, when = organization.schedules_paused_by, organization.schedules_paused_at
            self.stdout.write(f"All paused by {who} on {when:%Y-%m-%d %H:%M} UTC.")
        for row in rows:
            following = f"{row.next_run_at:%Y-%m-%d %H:%M} UTC" if row.next_run_at else "-"
            words = f"{cron.in_words(row.cron)} ({row.time_zone})"
            self.stdout.write(f"{row.slug}  {state_of(row)}  next {following}  {words}  {row.note}")


def _as_json(row: Schedule) -> dict[str, Any]:
    return {
        "slug": row.slug,
        "name": row.name,
        "target": row.node.key if row.node else "dag",
        "select": row.select,
        "cron": row.cron,
        "time_zone": row.time_zone,
        "state": state_of(row),
        "next_run_at": row.next_run_at.isoformat() if row.next_run_at else None,
        "last_run_at": row.last_run_at.isoformat() if row.last_run_at else None,
        "note": row.note,
    }
