"""Rows that were refused, which the destination keeps beside the data."""

from collections.abc import Sequence

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import UserError
from pipelines import runner
from pipelines.models import Pipeline
from tenants.actors import Actor

MOST_IDS = 1_000


def discard_rejects(*, pipeline: Pipeline, actor: Actor, ids: Sequence[str]) -> int:
    """Delete refused rows for good; how many there were. Some may be gone already."""
    actor.require(Permission.EDIT, on=pipeline)
    wanted = list(dict.fromkeys(ids))
    if not 1 <= len(wanted) <= MOST_IDS:
        raise UserError(
            f"Between 1 and {MOST_IDS} rows are discarded at a time.",
            field="ids",
            remedy="Name the rows by their reject_id.",
        )
    discarded = runner.discard_rejects(pipeline, wanted)
    audit.record(
        organization=pipeline.organization,
        actor=actor,
        action=AuditAction.PIPELINE_REJECTS_DISCARDED,
        target=pipeline,
        changes={"rejects": [len(wanted), len(wanted) - discarded]},
    )
    return discarded
