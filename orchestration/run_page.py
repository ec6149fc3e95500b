"""A run as its page shows it: the sentence, the timeline, the failure with its remedy, rows by table, tests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from common.ui.formats import format_count
from common.ui.timeline import Timeline, TimelineStep, build_timeline
from orchestration import links
from orchestration.engine.waiting import tell
from orchestration.explanations import ExplainedStep, explain_step
from orchestration.models import (
    Run,
    RunLogLine,
    RunStep,
    RunStepResult,
    Status,
    StepKind,
    Trigger,
)
from orchestration.run_attempts import AttemptView, attempt_views
from orchestration.run_changes import Comparison, changes_since, last_success
from orchestration.run_report import Report, asked_words, report_of, title_of
from orchestration.selectors import (
    neighbours,
    results_of,
    shown_status,
    steps_of,
    usual_seconds,
)

#: Nested rows of one step in the timeline; the results below it list all.
NESTED = 40
#: Rows of a failed test that are shown.
SAMPLES = 10
_ROW_WORDS = (
    ("rows_read", "read"),
    ("rows_filtered", "filtered"),
    ("rows_rejected", "rejected"),
    ("rows_deduplicated", "deduplicated"),
)


@dataclass(frozen=True)
class Failure:
    """The first error of a run, what it means and where it is mended."""

    title: str
    explained: ExplainedStep


@dataclass(frozen=True)
class TestView:
    """One test of a transformation, with failing rows as a table."""

    result: RunStepResult
    label: str
    failures: int | None
    columns: list[str]
    rows: list[list[str]]

    __test__ = False


@dataclass(frozen=True)
class ResultView:
    """One table or transformation of a step."""

    result: RunStepResult
    url: str
    #: ``14 read, 2 rejected``: what beside the loaded rows is not zero.
    accounting: str
    #: What a load said about the table; None for transformations.
    report: Report | None
    #: The name, told apart where two pipelines of the run have a table of that name.
    label: str
    tests: list[TestView] = field(default_factory=list)
    #: Where the rejected rows of the table are; empty when there are none to see.
    rejects_url: str = ""

    @property
    def status(self) -> str:
        """The key of the status table: failed tests, and rejected or differing rows, are told apart."""
        failed = any(test.result.status == "failed" for test in self.tests)
        if failed and self.result.kind == "model" and self.result.status == "succeeded":
            return "test_fail"
        differed = self.report is not None and self.report.verified == "differed"
        warned = bool(self.result.rows_rejected) or differed
        return "warning" if warned and self.result.status == "succeeded" else self.result.status


@dataclass(frozen=True)
class StepView:
    step: RunStep
    status: str
    url: str
    results: list[ResultView]


@dataclass(frozen=True)
class RunView:
    """Everything that changes while a run goes on."""

    run: Run
    steps: list[StepView]
    timeline: Timeline
    failure: Failure | None
    done: int
    resumed: list[RunStep]
    waiting: list[RunStep]
    usual: float | None
    older: int | None
    newer: int | None
    progress_text: str
    attempts: list[AttemptView]
    #: What is different from the last success; None while it runs, and where there was none.
    comparison: Comparison | None

    @property
    def started_by(self) -> str:
        return started_by(self.run)

    @property
    def asked(self) -> str:
        return asked_words(self.run)

    @property
    def title(self) -> str:
        return title_of(self.run)

    @property
    def attempt(self) -> RunStep | None:
        """The step whose attempt the title tells; steps of a first attempt need no words when all is over."""
        rows = [view.step for view in self.steps]
        again = [step for step in rows if step.attempt > 1]
        running = [step for step in rows if step.status == Status.RUNNING]
        return next(iter(again or running), None)

    @property
    def queue_time(self) -> timedelta | None:
        started = self.run.started_at
        return started - self.run.requested_at if started else None

    @property
    def seconds(self) -> int:
        return int(self.run.took.total_seconds()) if self.run.took else 0

    @property
    def worker(self) -> str:
        return ", ".join(sorted({view.step.worker for view in self.steps if view.step.worker}))

    @property
    def rows(self) -> list[ResultView]:
        """Tables and transformations that have a number of rows."""
        everything = [result for view in self.steps for result in view.results]
        return [view for view in everything if view.result.rows_loaded is not None]

    @property
    def can_retry_from_failure(self) -> bool:
        return not self.run.is_active and any(
            view.step.status in {Status.FAILED, Status.CANCELLED, Status.SKIPPED}
            for view in self.steps
        )


def view_of(run: Run) -> RunView:
    """The run as of now, in a handful of queries however many steps it has."""
    rows = steps_of(run)
    tell(rows)
    results = results_of(run.organization, rows)
    several = sum(step.kind == StepKind.PIPELINE for step in rows) > 1
    steps = [_step_view(run, step, results.get(step.pk, []), several=several) for step in rows]
    older, newer = neighbours(run)
    return RunView(
        run=run,
        steps=steps,
        timeline=_timeline(run, steps),
        failure=_failure(rows),
        done=sum(not step.is_active for step in rows),
        resumed=[step for step in rows if step.times_lost],
        waiting=[step for step in rows if step.status == Status.QUEUED and step.waiting_for],
        usual=usual_seconds(run),
        older=older,
        newer=newer,
        progress_text=_progress_text(rows),
        attempts=attempt_views(run, rows),
        comparison=None if run.is_active else changes_since(run, last_success(run)),
    )


def started_by(run: Run) -> str:
    """``by Olga``, ``by the schedule Nightly``, ``through the API by API key deploy``."""
    if run.trigger == Trigger.SCHEDULE:
        return _("by the schedule %s") % run.requested_by.removeprefix("Schedule ")
    if run.trigger == Trigger.API:
        return _("through the API by %s") % run.requested_by
    return _("by %s") % run.requested_by


def line_as_json(line: RunLogLine) -> dict[str, Any]:
    """A log line for the page: as the API has it, with the time of day in the organization's zone."""
    local = timezone.localtime(line.at)
    return line.as_json() | {"t": f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"}


def _step_view(run: Run, step: RunStep, results: list[RunStepResult], *, several: bool) -> StepView:
    tests: dict[str, list[TestView]] = {}
    for result in results:
        if result.kind == "test":
            tests.setdefault(str(result.details.get("model") or ""), []).append(_test(result))
    views = [
        ResultView(
            result=result,
            url=_result_url(run, step, result),
            accounting=_accounting(result),
            report=report_of(result) if result.kind == "table" else None,
            label=f"{step.name} · {result.name}" if several and step.pipeline_id else result.name,
            tests=tests.pop(result.name, []),
            rejects_url=_rejects_url(run, step, result),
        )
        for result in results
        if result.kind != "test"
    ]
    # A test of something that was not built in this run still has to be seen.
    orphans = [test for group in tests.values() for test in group]
    views += [ResultView(test.result, "", "", None, test.label, [test]) for test in orphans]
    return StepView(step, shown_status(step), _step_url(run, step), views)


def _step_url(run: Run, step: RunStep) -> str:
    if step.pipeline is not None and not step.pipeline.is_deleted:
        return links.pipeline_url(run.organization, step.pipeline.slug)
    if step.kind == StepKind.TRANSFORM and len(step.nodes) == 1:
        return links.key_url(run.organization, next(iter(step.nodes)))
    return ""


def _result_url(run: Run, step: RunStep, result: RunStepResult) -> str:
    if step.kind == StepKind.TRANSFORM and result.kind == "model":
        return links.transformation_url(run.organization, result.name)
    return ""


def _rejects_url(run: Run, step: RunStep, result: RunStepResult) -> str:
    if not result.rows_rejected or step.pipeline is None or step.pipeline.is_deleted:
        return ""
    return links.rejects_url(run.organization, step.pipeline.slug, result.target)


def _accounting(result: RunStepResult) -> str:
    parts = []
    for name, word in _ROW_WORDS:
        value = getattr(result, name)
        # "Read" says nothing new where it equals what was loaded.
        if value and not (name == "rows_read" and value == result.rows_loaded):
            parts.append(f"{format_count(value)} {_(word)}")
    return ", ".join(parts)


def _test(result: RunStepResult) -> TestView:
    details = result.details
    column, kind = details.get("column") or "", str(details.get("test_kind") or "")
    samples = details.get("samples") or {}
    columns = [str(named["name"]) for named in samples.get("columns") or []]
    rows = [[_text(cell) for cell in row] for row in (samples.get("rows") or [])[:SAMPLES]]
    words = kind.replace("_", " ") or result.name
    label = f"{column}: {words}" if column else words
    return TestView(result, label, details.get("failures"), columns, rows)


def _text(value: Any) -> str:
    return "NULL" if value is None else str(value)


def _timeline(run: Run, steps: list[StepView]) -> Timeline:
    rows = [
        TimelineStep(
            name=_("Wait for a worker"),
            status="succeeded" if run.started_at else str(run.status),
            started_at=run.requested_at if run.is_active or run.started_at else None,
            finished_at=run.started_at or run.finished_at,
        )
    ]
    for view in steps:
        step = view.step
        status = view.status
        if step.status == Status.RUNNING and run.cancel_requested_at:
            status = "cancelled"
        rows.append(
            TimelineStep(
                step.name, status, step.started_at, _end(step.started_at, step), url=view.url
            )
        )
        rows += _nested(view)
    return build_timeline(rows, start=run.requested_at, now=timezone.now(), active=run.is_active)


def _end(started: datetime | None, step: RunStep) -> datetime | None:
    # Back in the queue for another attempt: its bar ends where the next one begins, now.
    return step.finished_at if started else None


def _nested(view: StepView) -> Iterator[TimelineStep]:
    if len(view.results) == 1 and view.results[0].result.name == view.step.name:
        return
    for shown in view.results[:NESTED]:
        result = shown.result
        yield TimelineStep(
            result.name, shown.status, result.started_at, result.finished_at, depth=1, url=shown.url
        )
    if len(view.results) > NESTED:
        more = _("and %d more") % (len(view.results) - NESTED)
        yield TimelineStep(more, view.status, depth=1, url="#results")


def _failure(steps: Iterable[RunStep]) -> Failure | None:
    step = next((step for step in steps if step.status == Status.FAILED), None)
    if step is None:
        return None
    title = _("The build failed.") if len(step.nodes) > 1 else _("%s failed.") % step.name
    return Failure(title, explain_step(step))


def _progress_text(steps: Iterable[RunStep]) -> str:
    running = [step for step in steps if step.status == Status.RUNNING]
    if not running:
        return ""
    parts = []
    for step in running:
        rows = sum(int(value.get("rows") or 0) for value in step.progress.values())
        text = _("%(step)s: %(rows)s rows so far") % {
            "step": step.name,
            "rows": format_count(rows),
        }
        parts.append(text if rows else step.name)
    return "; ".join(parts[:3])
