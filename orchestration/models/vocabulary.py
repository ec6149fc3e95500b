"""The words of orchestration: statuses, triggers and policies."""

from django.db import models


class Status(models.TextChoices):
    """Of a run and of a step."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


# A partition: a test fails until a new status stands in exactly one of them.
ACTIVE_STATUSES = frozenset({Status.QUEUED, Status.RUNNING})
FINAL_STATUSES = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.SKIPPED})


class StepKind(models.TextChoices):
    PIPELINE = "pipeline", "Pipeline"
    TRANSFORM = "transform", "Transformations"


class Trigger(models.TextChoices):
    MANUAL = "manual", "By hand"
    SCHEDULE = "schedule", "Schedule"
    API = "api", "API"
    COMMAND = "command", "Command line"
    RETRY = "retry", "Run again"
    BACKFILL = "backfill", "Backfill"


class MissedPolicy(models.TextChoices):
    SKIP = "skip", "Skip them"
    ONCE = "once", "Run once"
    ALL = "all", "Run each"


class OverlapPolicy(models.TextChoices):
    SKIP = "skip", "Skip the new one"
    QUEUE = "queue", "Queue the new one"
    CANCEL = "cancel", "Cancel the one before"


class UpstreamRule(models.TextChoices):
    """What has to be true of a node's upstreams before it runs."""

    ALL_SUCCEEDED = "all_succeeded", "All have succeeded"
    ANY_SUCCEEDED = "any_succeeded", "At least one has succeeded"
    ALL_FINISHED = "all_finished", "All have ended, however"


class BackfillStatus(models.TextChoices):
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
