"""Which runs a list shows: one filter for the page and the API, read a page at a time.

What an index answers (status, object, time) is looked for everywhere. Words, people, triggers and kinds are looked
for in the newest ``WINDOW`` runs below where a page begins, so that an answer takes the same time however many runs
there are; the page then leads further back.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from connections.models import Connection
from orchestration.models import (
    ACTIVE_STATUSES,
    FINAL_STATUSES,
    IS_ACTIVE,
    Run,
    RunStep,
    Status,
    StepKind,
)
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import Transformation

PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
PAGE_SIZE = 50
#: Runs in which one page looks for what has no index.
WINDOW = 20_000
#: A count goes no further: nobody pages there.
MOST_COUNTED = 10_000
#: Active runs of each status that a first page looks at.
MOST_LISTED = 5_000
#: Objects with more steps than this (a shared warehouse, a common tag, a busy pipeline) have a part in many runs.
MOST_STEPS = 1_000


@dataclass(frozen=True)
class RunFilter:
    """What a list of runs is narrowed to; empty values narrow nothing."""

    #: A status, ``active`` or ``warning``.
    status: str = ""
    #: ``pipeline``, ``transformation`` or ``dag``.
    kind: str = ""
    query: str = ""
    #: A key of ``PERIODS``, or any bounds: from ``since``, before ``until``.
    period: str = ""
    since: datetime | None = None
    until: datetime | None = None
    #: ``pipeline:<slug>``, ``transformation:<name>``, ``connection:<slug>``, ``schedule:<slug>``,
    #: ``backfill:<number>`` or ``dag``: runs it had a part in.
    target: str = ""
    #: A person's name, as a run has it.
    person: str = ""
    #: A ``Trigger``.
    trigger: str = ""
    #: A tag of a pipeline or a transformation that had a part.
    tag: str = ""

    @property
    def is_set(self) -> bool:
        return self != RunFilter()

    @property
    def needs_looking(self) -> bool:
        """Whether rows have to be looked through, because no index knows."""
        words = self.query and not _is_number(self.query.removeprefix("#"))
        return bool(self.kind or words or self.person or self.trigger)

    @property
    def is_counted(self) -> bool:
        """Whether the index alone counts them; what an object had a part in is found step by step."""
        return not (self.needs_looking or self.target or self.tag)

    @property
    def may_be_active(self) -> bool:
        return self.status in ("", "active", *ACTIVE_STATUSES)

    @property
    def begins(self) -> datetime | None:
        if self.period in PERIODS:
            first = timezone.now() - PERIODS[self.period]
            return max(first, self.since) if self.since else first
        return self.since


@dataclass(frozen=True)
class RunPage:
    """Active runs (on the first page only), ended ones by number, and where the neighbours begin."""

    active: list[Run]
    ended: list[Run]
    #: Runs that pass the filter, up to ``MOST_COUNTED``; None where counting would look through all of them.
    total: int | None
    before: int | None
    after: int | None
    #: The search ended at this number without filling the page: there may be more further back.
    looked_to: int | None = None


def runs_of(organization: Organization, wanted: RunFilter) -> QuerySet[Run]:
    """The organization's runs that pass the filter."""
    rows = Run.objects.for_organization(organization).select_related("schedule", "backfill")
    # Of ten thousand characters, and no list shows it.
    rows = rows.defer("capsule")
    if wanted.target:
        rows = rows.filter(_target(organization, wanted.target))
    if wanted.tag:
        rows = rows.filter(_tag(organization, wanted.tag))
    if wanted.status:
        rows = rows.filter(_status(wanted.status))
    if wanted.kind:
        rows = rows.filter(Q(target=wanted.kind) | Q(target__startswith=f"{wanted.kind}:"))
    if wanted.person:
        rows = rows.filter(requested_by__icontains=wanted.person)
    if wanted.trigger:
        rows = rows.filter(trigger=wanted.trigger)
    if wanted.query:
        rows = rows.filter(_text(wanted.query))
    return _within(organization, rows, wanted.begins, wanted.until)


def page_of_runs(
    organization: Organization,
    wanted: RunFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    size: int = PAGE_SIZE,
    counts: bool = True,
) -> RunPage:
    """One page: runs with numbers below ``before`` or above ``after``, the newest first."""
    first_page = before is None and after is None
    rows = runs_of(organization, wanted)
    ended = rows.none() if wanted.status == "active" else rows.filter(status__in=FINAL_STATUSES)
    looked_to = None
    if wanted.needs_looking:
        ended, looked_to = _window(organization, wanted, ended, before, after)
    page = _newer(ended, after, size) if after is not None else _older(ended, before, size)
    return replace(
        page,
        active=_active(organization, rows, size) if first_page and wanted.may_be_active else [],
        total=_count(rows) if counts and wanted.is_counted else None,
        looked_to=looked_to if page.before is None and after is None else None,
    )


def _active(organization: Organization, rows: QuerySet[Run], size: int) -> list[Run]:
    """The newest of them; found first and by key, because a database would rather look through all runs by number.

    By one status at a time, as their index has them.
    """
    ids: list[int] = []
    for status in sorted(ACTIVE_STATUSES):
        known = Run.objects.for_organization(organization).filter(status=status)
        ids += known.order_by("-number").values_list("pk", flat=True)[:MOST_LISTED]
    passing = rows.filter(pk__in=ids, status__in=ACTIVE_STATUSES).order_by()
    newest = sorted(passing.values_list("number", flat=True), reverse=True)[:size]
    if not newest:
        return []
    shown = runs_of(organization, RunFilter()).filter(number__in=newest)
    return list(shown.order_by("-number"))


def _older(rows: QuerySet[Run], before: int | None, size: int) -> RunPage:
    if before is not None:
        rows = rows.filter(number__lt=before)
    found = list(rows.order_by("-number")[: size + 1])
    more, found = len(found) > size, found[:size]
    return RunPage(
        active=[],
        ended=found,
        total=None,
        before=found[-1].number if more else None,
        after=(found[0].number if found else before - 1) if before is not None else None,
    )


def _newer(rows: QuerySet[Run], after: int, size: int) -> RunPage:
    found = list(rows.filter(number__gt=after).order_by("number")[: size + 1])
    more, found = len(found) > size, found[:size][::-1]
    return RunPage(
        active=[],
        ended=found,
        total=None,
        before=found[-1].number if found else after + 1,
        after=found[0].number if more else None,
    )


def _window(
    organization: Organization,
    wanted: RunFilter,
    rows: QuerySet[Run],
    before: int | None,
    after: int | None,
) -> tuple[QuerySet[Run], int | None]:
    """The rows of the window that begins with the page, and where it ends (None: with the first run)."""
    if after is not None:
        return rows.filter(number__lte=after + WINDOW), None
    last = _last_number(organization, wanted.until)
    top = min(before, last + 1) if before is not None else last + 1
    low = top - WINDOW
    return rows.filter(number__gte=low), low if low > 1 else None


def _last_number(organization: Organization, until: datetime | None) -> int:
    if until is None:
        return organization.last_run_number
    rows = Run.objects.for_organization(organization).filter(requested_at__lt=until)
    number = rows.order_by("-requested_at").values_list("number", flat=True).first()
    return number or 0


def _count(rows: QuerySet[Run]) -> int:
    return rows.order_by()[: MOST_COUNTED + 1].count()


def _within(
    organization: Organization,
    rows: QuerySet[Run],
    since: datetime | None,
    until: datetime | None,
) -> QuerySet[Run]:
    """Numbers are handed out in the order of time: bounds of one are bounds of the other, and lists go by number."""
    everything = Run.objects.for_organization(organization)
    if since is not None:
        later = everything.filter(requested_at__gte=since).order_by("requested_at")
        first = later.values_list("number", flat=True).first()
        rows = rows.filter(requested_at__gte=since, number__gte=first) if first else rows.none()
    if until is not None:
        last = _last_number(organization, until)
        rows = rows.filter(requested_at__lt=until, number__lte=last) if last else rows.none()
    return rows


def _target(organization: Organization, target: str) -> Q:
    kind, _, name = target.partition(":")
    if kind == "pipeline":
        found = Pipeline.objects.for_organization(organization).filter(slug=name)
        return _with_pipelines(list(found.values_list("pk", flat=True)))
    if kind == "transformation":
        return _with_transformations(organization, [name])
    if kind == "connection":
        return _with_connection(organization, name)
    if kind == "schedule":
        return Q(schedule__slug=name, schedule__deleted_at__isnull=True)
    if kind == "backfill":
        return Q(backfill__number=int(name)) if _is_number(name) else Q(pk=None)
    return Q(target=target)


def _with_pipelines(ids: list[int]) -> Q:
    # Whose they are is settled; named again, it would lead SQLite through all steps of the organization.
    return _with(RunStep.all_organizations.filter(pipeline__in=ids).order_by("pipeline_id", "-pk"))


def _with(steps: QuerySet[RunStep]) -> Q:
    """Runs that have one of the steps: by a list of them, or where they are many by a look at each run.

    The steps come in the order of their index. Listed here, by the numbers that lists go by: as a part of the other
    question SQLite would look through all steps, and by their keys through all runs. Counted first, without an order:
    of many PostgreSQL would join all with all runs.
    """
    if steps.order_by()[: MOST_STEPS + 1].count() <= MOST_STEPS:
        return Q(number__in=set(steps.values_list("run__number", flat=True)))
    newest = steps.order_by("-pk").values_list("run__number", flat=True).first()
    return Q(Exists(steps.filter(run=OuterRef("pk"))), number__lte=newest)


def _with_transformations(organization: Organization, names: list[str]) -> Q:
    keys = [f"transformation:{name}" for name in names]
    steps = RunStep.objects.for_organization(organization).filter(kind=StepKind.TRANSFORM)
    return Q(pk__in=steps.filter(nodes__has_any_keys=keys).values("run"))


def _with_connection(organization: Organization, slug: str) -> Q:
    connections = Connection.objects.for_organization(organization).filter(slug=slug)
    own = list(connections.values_list("pk", flat=True))
    found = Pipeline.objects.for_organization(organization).filter(
        Q(source__in=own) | Q(destination__in=own)
    )
    loads = _with_pipelines(list(found.values_list("pk", flat=True)))
    builds = RunStep.all_organizations.filter(connection__in=own).order_by("connection_id", "pk")
    return loads | _with(builds)


def _tag(organization: Organization, tag: str) -> Q:
    pipelines = Pipeline.objects.for_organization(organization)
    # Lists inside JSON cannot be searched on every database we run on.
    ids = [pk for pk, tags in pipelines.values_list("pk", "tags") if tag in tags]
    rows = Transformation.objects.for_organization(organization)
    names = [name for name, tags in rows.values_list("name", "tags") if tag in tags]
    found = Q(pk__in=[])
    if ids:
        found |= _with_pipelines(ids)
    if names:
        found |= _with_transformations(organization, names)
    return found


def _status(status: str) -> Q:
    if status == "active":
        return IS_ACTIVE
    if status == "warning":
        return Q(status=Status.SUCCEEDED, has_warnings=True)
    return Q(status=status)


def _text(query: str) -> Q:
    """A number, with or without #, is a run's own; words are looked for in titles, people and errors."""
    if _is_number(number := query.removeprefix("#")):
        return Q(number=int(number))
    return Q(title__icontains=query) | Q(requested_by__icontains=query) | Q(error__icontains=query)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 18
