"""What happened: runs, their steps, results and log."""

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.scoping import OrganizationOwned
from orchestration.models.graph import Node
from orchestration.models.schedules import Schedule
from orchestration.models.vocabulary import (
    ACTIVE_STATUSES,
    Status,
    StepKind,
    Trigger,
)

#: Where steps go whose organization and connections name no queue.
DEFAULT_QUEUE = "default"


class Run(OrganizationOwned):
    """One execution of a pipeline, a transformation or a selection, from the request to its end."""

    number = models.PositiveBigIntegerField()
    node = models.ForeignKey(Node, models.SET_NULL, null=True, blank=True, related_name="+")
    #: ``pipeline:<slug>``, ``transformation:<name>`` or ``dag``, as requested.
    target = models.CharField(max_length=120)
    #: The target's name for people, as it was then.
    title = models.CharField(max_length=160)
    select = models.CharField(max_length=500, blank=True)
    full_refresh = models.BooleanField(default=False)
    #: What the target's pipeline is asked to do differently (``pipelines.runner.LoadOptions.as_json``); empty for a
    #: usual run.
    options = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    has_warnings = models.BooleanField(default=False)
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.MANUAL)
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField(default=timezone.now)
    schedule = models.ForeignKey(Schedule, models.SET_NULL, null=True, blank=True, related_name="+")
    scheduled_for = models.DateTimeField(null=True, blank=True)
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    #: It starts only when that run has ended.
    after = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    #: It executes what the capsule of the run it repeats kept, not today's configuration.
    as_it_was = models.BooleanField(default=False)
    backfill = models.ForeignKey(
        "orchestration.Backfill", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    idempotency_key = models.CharField(max_length=80, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=200, blank=True)
    #: Shown to people; tracebacks stay in the log.
    error = models.TextField(blank=True)
    error_remedy = models.TextField(blank=True)
    #: What was run exactly: settings without secrets, graph, versions.
    capsule = models.JSONField(default=dict, blank=True)
    rows_loaded = models.BigIntegerField(default=0)
    #: The number of the newest log line.
    last_line = models.PositiveIntegerField(default=0)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-requested_at", "-pk"]
        indexes = [
            # With what the overview sums up: it reads the index alone.
            models.Index(
                fields=["organization", "-requested_at", "status", "rows_loaded"],
                name="run_by_time",
            ),
            models.Index(fields=["organization", "status", "-number"], name="run_by_status"),
            models.Index(fields=["organization", "target", "-number"], name="run_by_target"),
            models.Index(
                fields=["organization", "-number"],
                condition=Q(has_warnings=True),
                name="run_with_warnings",
            ),
            models.Index(fields=["node", "-requested_at"], name="run_by_node"),
            models.Index(
                fields=["organization"],
                condition=Q(status__in=sorted(ACTIVE_STATUSES)),
                name="run_active",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "number"], name="run_number_unique"),
            # Two beats, or one beat restarted, make one run of one due time.
            models.UniqueConstraint(
                fields=["schedule", "scheduled_for"], name="run_once_per_due_time"
            ),
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="run_once_per_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="run_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Run #{self.number}"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_STATUSES

    @property
    def took(self) -> timedelta | None:
        if self.started_at is None:
            return None
        return (self.finished_at or timezone.now()) - self.started_at

    @property
    def shown_status(self) -> str:
        """The key of the status table: a success with warnings is told apart."""
        if self.status == Status.SUCCEEDED and self.has_warnings:
            return "warning"
        return str(self.status)


class RunStep(OrganizationOwned):
    """A piece of a run that one child process executes: a pipeline, or one dbt call."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="+")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=StepKind)
    name = models.CharField(max_length=160)
    pipeline = models.ForeignKey(
        "pipelines.Pipeline", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    #: The warehouse of a dbt call.
    connection = models.ForeignKey(
        "connections.Connection", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    #: ``{node key: [upstream node keys within this run]}``.
    nodes = models.JSONField(default=dict)
    #: ``{node key: engine.rules.Conditions.as_json()}`` of the nodes whose rule or windows are not the usual ones.
    conditions = models.JSONField(default=dict, blank=True)
    #: Positions of the steps that have to end first.
    upstream = models.JSONField(default=list)
    #: Positions of the steps that wait for this one.
    downstream = models.JSONField(default=list)
    #: Every upstream step has ended and the run it comes after too: a worker may take it.
    is_ready = models.BooleanField(default=False)
    #: Workers that listen to this queue execute it.
    queue = models.CharField(max_length=40, default=DEFAULT_QUEUE)
    #: Connections it uses, by id: what its slots are counted on.
    connection_ids = models.JSONField(default=list)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    has_warnings = models.BooleanField(default=False)
    attempt = models.PositiveSmallIntegerField(default=1)
    max_attempts = models.PositiveSmallIntegerField(default=3)
    #: Attempts that ended because their worker was lost.
    times_lost = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    #: ``host:pid`` of the worker that has or had it.
    worker = models.CharField(max_length=120, blank=True)
    waiting_for = models.CharField(max_length=300, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    #: ``{scope: {"rows": n, "total": n or null}}`` while it runs.
    progress = models.JSONField(default=dict, blank=True)
    summary = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_remedy = models.TextField(blank=True)
    error_detail = models.TextField(blank=True)
    #: What the other system called it: ``sqlstate:28P01``, ``exit:-9`` (common/signatures.py).
    error_signature = models.CharField(max_length=80, blank=True)
    #: Errors with one cause share it; empty for a step without an error.
    fingerprint = models.CharField(max_length=16, blank=True)
    #: Of the child and all it started.
    peak_memory_mb = models.PositiveIntegerField(null=True, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["run", "position"]
        indexes = [
            models.Index(
                fields=["status", "lease_expires_at"],
                condition=Q(status__in=sorted(ACTIVE_STATUSES)),
                name="step_active",
            ),
            # The last steps of a pipeline, for its heartbeat.
            models.Index(fields=["pipeline", "-id"], name="step_by_pipeline"),
            # What a worker may take, the oldest first.
            models.Index(
                fields=["queue", "queued_at"],
                condition=Q(status=Status.QUEUED, is_ready=True),
                name="step_ready",
            ),
            models.Index(
                fields=["organization", "fingerprint", "-finished_at"],
                condition=~Q(fingerprint=""),
                name="step_by_fingerprint",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="step_position_unique"),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="step_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run} step {self.position} ({self.name})"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_STATUSES

    @property
    def took(self) -> timedelta | None:
        if self.started_at is None:
            return None
        return (self.finished_at or timezone.now()) - self.started_at


class RunStepAttempt(OrganizationOwned):
    """One try at a step: which worker had it, and how it ended."""

    step = models.ForeignKey(RunStep, models.CASCADE, related_name="+")
    number = models.PositiveSmallIntegerField()
    worker = models.CharField(max_length=120, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    #: None while it runs.
    finished_at = models.DateTimeField(null=True, blank=True)
    #: A ``Status``, or ``lost`` when the worker was.
    status = models.CharField(max_length=10, default=Status.RUNNING)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=60, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["step", "number"]
        constraints = [
            models.UniqueConstraint(fields=["step", "number"], name="attempt_number_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.step}, attempt {self.number}"

    @property
    def took(self) -> timedelta:
        return (self.finished_at or timezone.now()) - self.started_at


class RunStepResult(OrganizationOwned):
    """What came of one table, model or test of a step."""

    step = models.ForeignKey(RunStep, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    name = models.CharField(max_length=255)
    target = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=10)
    rows_read = models.BigIntegerField(null=True, blank=True)
    rows_loaded = models.BigIntegerField(null=True, blank=True)
    rows_filtered = models.BigIntegerField(null=True, blank=True)
    rows_rejected = models.BigIntegerField(null=True, blank=True)
    rows_deduplicated = models.BigIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True)
    #: The rest of the child's ``result`` event.
    details = models.JSONField(default=dict, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["step", "pk"]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"

    @property
    def took(self) -> timedelta | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


class RunLogLine(OrganizationOwned):
    """A line of a run's log; ``number`` counts from 1 within the run."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=5)
    scope = models.CharField(max_length=120, blank=True)
    text = models.TextField()

    class Meta(OrganizationOwned.Meta):
        ordering = ["run", "number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="log_line_number_unique"),
        ]

    def __str__(self) -> str:
        return self.text

    def as_json(self) -> dict[str, Any]:
        """The short form that pages poll for."""
        return {
            "n": self.number,
            "t": self.at.isoformat(timespec="milliseconds"),
            "l": self.level,
            "s": self.scope,
            "x": self.text,
        }
