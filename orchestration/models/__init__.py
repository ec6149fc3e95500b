"""When things run, in what order, and what came of it."""

from orchestration.models.active import IS_ACTIVE, Literal
from orchestration.models.aftermath import Aftermath
from orchestration.models.backfills import Backfill, BackfillSlice
from orchestration.models.graph import Dependency, Node
from orchestration.models.problems import UnexplainedError
from orchestration.models.runs import (
    DEFAULT_QUEUE,
    Run,
    RunLogLine,
    RunStep,
    RunStepAttempt,
    RunStepResult,
)
from orchestration.models.schedules import Schedule
from orchestration.models.standings import Standing, Tone
from orchestration.models.upkeep import Upkeep
from orchestration.models.vocabulary import (
    ACTIVE_STATUSES,
    FINAL_STATUSES,
    BackfillStatus,
    MissedPolicy,
    OverlapPolicy,
    Status,
    StepKind,
    Trigger,
    UpstreamRule,
)
from orchestration.models.workers import Worker

__all__ = [
    "ACTIVE_STATUSES",
    "DEFAULT_QUEUE",
    "FINAL_STATUSES",
    "IS_ACTIVE",
    "Aftermath",
    "Backfill",
    "BackfillSlice",
    "BackfillStatus",
    "Dependency",
    "Literal",
    "MissedPolicy",
    "Node",
    "OverlapPolicy",
    "Run",
    "RunLogLine",
    "RunStep",
    "RunStepAttempt",
    "RunStepResult",
    "Schedule",
    "Standing",
    "Status",
    "StepKind",
    "Tone",
    "Trigger",
    "UnexplainedError",
    "Upkeep",
    "UpstreamRule",
    "Worker",
]
