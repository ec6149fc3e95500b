"""Simulated years with a beat that stalls, restarts, jumps and doubles: each expected time is one run."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestration.engine.tick import tick
from orchestration.models import ACTIVE_STATUSES, MissedPolicy, Run, Schedule, Status
from orchestration.tests import factories as make
from orchestration.tests.slow_cron import expected, minutes_of
from orchestration.tests.test_cron_truth import ZONES
from orchestration.tests.test_engine_tick import hourly
from pipelines.models import Pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db

LINES = ("30 */8 * * *", "15 2 * * *", "0,30 0-1 * * sun", "0 0 13 * 5")
#: Minutes from one tick to the next; never so many that a schedule would have to make up for more than it may.
STEPS = (1, 7, 60, 400, 900)


@pytest.fixture
def shop(organization: Organization) -> Organization:
    make.make_pipeline(organization, "Orders", make.make_connection(organization))
    return organization


def simulate(
    organization: Organization, zones: Sequence[str], since: datetime, until: datetime
) -> int:
    """The number of runs, all of them as the cron that counts minutes has it."""
    wanted = _schedules(organization, zones, since, until)
    picked = random.Random("beat")
    now = since
    while now < until:
        now = min(until, now + timedelta(minutes=picked.choice(STEPS)))
        before = list(Schedule.all_organizations.values_list("pk", "next_run_at"))
        for _ in range(picked.randint(1, 2)):
            tick(now)
        for pk, at in picked.sample(before, k=picked.choice((0, 0, 5))):
            # A beat that had read the row before the other wrote it.
            Schedule.all_organizations.filter(pk=pk).update(next_run_at=at)
        Run.all_organizations.filter(status__in=ACTIVE_STATUSES).update(status=Status.SUCCEEDED)
    tick(until)
    for pk, times in wanted.items():
        rows = Run.all_organizations.filter(schedule=pk).order_by("scheduled_for")
        assert list(rows.values_list("scheduled_for", flat=True)) == times
    return sum(map(len, wanted.values()))


def _schedules(
    organization: Organization, zones: Sequence[str], since: datetime, until: datetime
) -> dict[int, list[datetime]]:
    """By schedule the times that it has to start; each waits for its first."""
    wanted: dict[int, list[datetime]] = {}
    for zone in zones:
        minutes = minutes_of(ZoneInfo(zone), since, until)
        for line in LINES:
            times = list(expected(line, minutes))
            if not times:
                continue
            schedule = hourly(
                Pipeline.objects.for_organization(organization).get(),
                name=f"{zone} {line}",
                expression=line,
                time_zone=zone,
                missed=MissedPolicy.ALL,
                due=times[0],
            )
            wanted[schedule.pk] = times
    return wanted


def test_across_a_change_of_the_clock(shop: Organization) -> None:
    since = datetime(2026, 4, 3, tzinfo=UTC)
    zones = ("Australia/Lord_Howe", "America/Santiago", "Europe/Berlin")
    assert simulate(shop, zones, since, since + timedelta(days=3, minutes=1)) > 30


@pytest.mark.chaos
def test_two_years_in_twelve_zones(shop: Organization) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert simulate(shop, ZONES, since, datetime(2028, 1, 1, 0, 1, tzinfo=UTC)) > 30_000
