"""What runs say about one pipeline, for its pages (``pipelines.history``)."""

from collections.abc import Collection

from django.db.models import Max, QuerySet, Sum

from orchestration.models import ACTIVE_STATUSES, RunStep, RunStepResult
from orchestration.schema_changes import schema_changes
from pipelines.models import Pipeline
from pipelines.selectors import CursorMove, RunHistory, TableLoad

#: Results that are looked through for the last move of each cursor.
_LOOKED_AT = 500


def _results(pipeline: Pipeline) -> QuerySet[RunStepResult]:
    rows = RunStepResult.objects.for_organization(pipeline.organization)
    return rows.filter(step__pipeline=pipeline, kind="table")


def tables(pipeline: Pipeline) -> dict[str, TableLoad]:
    newest = _results(pipeline).values("target").annotate(newest=Max("pk")).order_by()
    rows = _results(pipeline).filter(pk__in=[row["newest"] for row in newest])
    return {row.target: _load(row) for row in rows.select_related("step__run")}


def _load(row: RunStepResult) -> TableLoad:
    differed = (row.details.get("verification") or {}).get("status") == "differed"
    warned = row.status == "succeeded" and (bool(row.rows_rejected) or differed)
    return TableLoad(
        resource=row.name,
        run=row.step.run.number,
        at=row.finished_at,
        status="warning" if warned else row.status,
        rows_loaded=row.rows_loaded if row.status == "succeeded" else None,
        rows_rejected=row.rows_rejected or 0,
        message=row.message,
    )


def is_running(pipeline: Pipeline) -> bool:
    steps = RunStep.objects.for_organization(pipeline.organization)
    return steps.filter(pipeline=pipeline, status__in=ACTIVE_STATUSES).exists()


def cursors(pipeline: Pipeline) -> dict[str, CursorMove]:
    rows = _results(pipeline).filter(status="succeeded", details__has_key="cursor")
    found: dict[str, CursorMove] = {}
    settled: set[str] = set()
    for row in rows.select_related("step__run").order_by("-pk")[:_LOOKED_AT]:
        cursor = row.details.get("cursor") or {}
        if row.name in settled or cursor.get("after") is None:
            continue
        value, known = str(cursor["after"]), found.get(row.name)
        if known and known.value != value:
            settled.add(row.name)
            continue
        # A retry reports what a lost attempt had loaded as if it had stood there before, so the value alone counts.
        seen = known.seen_at if known else row.finished_at
        found[row.name] = CursorMove(row.step.run.number, row.finished_at, value, seen)
        if cursor.get("before") != cursor["after"]:
            settled.add(row.name)
    return found


def numbers(pipeline: Pipeline, load_ids: Collection[str]) -> dict[str, int]:
    """A load's id ends with the key of its step (``pipelines.runner.build_spec``)."""
    keys = {load_id: load_id.rpartition(".")[2] for load_id in load_ids}
    known = {load_id: int(key) for load_id, key in keys.items() if key.isdigit() and len(key) < 18}
    steps = RunStep.objects.for_organization(pipeline.organization)
    rows = steps.filter(pipeline=pipeline, pk__in=set(known.values()))
    by_step = dict(rows.values_list("pk", "run__number"))
    return {load_id: by_step[pk] for load_id, pk in known.items() if pk in by_step}


def rejected(pipeline: Pipeline) -> int:
    rows = _results(pipeline).filter(status="succeeded")
    taken_up = rows.filter(step__run__options__replay_rejects=True)
    aside: int = rows.aggregate(sum=Sum("rows_rejected"))["sum"] or 0
    again: int = taken_up.aggregate(sum=Sum("rows_read"))["sum"] or 0
    return aside - again


HISTORY = RunHistory(
    tables=tables,
    is_running=is_running,
    cursors=cursors,
    changes=schema_changes,
    numbers=numbers,
    rejected=rejected,
)
