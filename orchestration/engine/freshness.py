"""Freshness windows: when a node last succeeded, and whether that is recent enough for what reads it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.utils import timezone

from orchestration.engine.advance import broken_nodes
from orchestration.engine.rules import Conditions
from orchestration.errors import UpstreamStale
from orchestration.models import Node, RunStep, Status, StepKind
from orchestration.options import options_for
from pipelines.models import Pipeline
from transforms import selectors as transforms
from transforms.models import BuildStatus, Transformation

_UNITS = ((86_400, "day", "days"), (3_600, "hour", "hours"), (60, "minute", "minutes"))
#: Among the last so many loads of a pipeline the newest whole one is looked for.
_LOOKED_AT = 20


def words_of(seconds: float) -> str:
    """``45 seconds``, ``90 minutes``, ``26 hours``, ``3 days``: the largest unit that leaves two or more, or fits."""
    whole = int(seconds)
    for size, one, many in _UNITS:
        if whole >= 2 * size or (whole >= size and whole % size == 0):
            number = whole // size
            return f"{number} {one if number == 1 else many}"
    return f"{whole} {'second' if whole == 1 else 'seconds'}"


def check_windows(step: RunStep) -> None:
    """Raise ``UpstreamStale`` when an upstream that is not part of the run succeeded too long ago for this step."""
    asked = {key: Conditions.of(kept) for key, kept in step.conditions.items()}
    for error in stale(step.organization_id, asked):
        raise error


def stale(organization_id: int, asked: Mapping[str, Conditions]) -> Iterator[UpstreamStale]:
    """Each window of these nodes (by key) that is not kept now."""
    for key, conditions in asked.items():
        for upstream, seconds in (conditions.windows or {}).items():
            node = _node(organization_id, upstream)
            if node is not None and (error := _judged(node, key, seconds)):
                yield error


def note_success(step: RunStep) -> None:
    """Keep that the nodes of this ended step succeeded, those apart that did not.

    A load of some tables or of a range is none of the whole.
    """
    rows = Node.all_organizations.filter(organization=step.organization_id)
    now = timezone.now()
    if step.kind == StepKind.PIPELINE:
        if step.status == Status.SUCCEEDED and not options_for(step).first_field:
            rows.filter(pipeline=step.pipeline_id).update(succeeded_at=now)
    elif step.status in {Status.SUCCEEDED, Status.FAILED}:
        good = set(step.nodes) - broken_nodes([step])
        names = [key.partition(":")[2] for key in good]
        of_step = rows.filter(transformation__connection=step.connection_id)
        ids = of_step.filter(
            transformation__name__in=names, transformation__deleted_at__isnull=True
        ).values_list("pk", flat=True)
        rows.filter(pk__in=list(ids)).update(succeeded_at=now)


def last_success(thing: Pipeline | Transformation) -> datetime | None:
    """From what is kept of earlier runs, for a node that nobody has watched yet."""
    if isinstance(thing, Transformation):
        tests = transforms.tests_of(thing.organization, [thing]).get(thing.pk, [])
        is_good = thing.build_status in {BuildStatus.SUCCEEDED, BuildStatus.WARNED}
        return thing.built_at if is_good and all(t.last_status != "failed" for t in tests) else None
    steps = RunStep.all_organizations.filter(pipeline=thing, status=Status.SUCCEEDED)
    for step in steps.select_related("run", "pipeline").order_by("-pk")[:_LOOKED_AT]:
        if not options_for(step).first_field:
            ended: datetime | None = step.finished_at
            return ended
    return None


def _node(organization_id: int, key: str) -> Node | None:
    """The node of a key, if it still exists."""
    kind, _, name = key.partition(":")
    rows = Node.all_organizations.filter(organization=organization_id)
    if kind == "pipeline":
        found = rows.filter(pipeline__slug=name, pipeline__deleted_at__isnull=True)
    else:
        found = rows.filter(transformation__name=name, transformation__deleted_at__isnull=True)
    return found.select_related("pipeline", "transformation").first()


def _judged(node: Node, reader: str, seconds: int) -> UpstreamStale | None:
    age = None if node.succeeded_at is None else timezone.now() - node.succeeded_at
    if age is not None and age <= timedelta(seconds=seconds):
        return None
    name = reader.partition(":")[2]
    seen = (
        "has not succeeded yet"
        if age is None
        else f"last succeeded {words_of(age.total_seconds())} ago"
    )
    return UpstreamStale(
        f"“{node.title}” {seen}; “{name}” needs a success of the last {words_of(seconds)}.",
        remedy=f"Run it with its upstream (+{name}), or widen the window of that dependency.",
    )
