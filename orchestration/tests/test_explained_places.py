"""Where a page sends people to put right what failed."""

from connections.models import Connection
from orchestration.explanations.steps import explain_step
from orchestration.models import RunStep
from orchestration.tests import factories as make


def _uncompiled(stand: Connection, error: str) -> RunStep:
    run = make.make_run(stand.organization, "transformation:stg_orders")
    step: RunStep = make.steps(run)[0]
    RunStep.all_organizations.filter(pk=step.pk).update(
        status="failed", error=error, error_code="compile_failed"
    )
    step.refresh_from_db()
    return step


def _labels(step: RunStep) -> list[str]:
    return [link.label for link in explain_step(step).links]


def test_what_does_not_compile_is_one_click_away(stand: Connection) -> None:
    assert _labels(_uncompiled(stand, "stg_orders: no macro of that name")) == ["Open stg_orders"]
    assert _labels(_uncompiled(stand, "The project could not be read")) == ["Open stg_orders"]


def test_another_transformation_that_stops_all_is_the_one_to_open(stand: Connection) -> None:
    make.make_transformation(stand.organization, "mart", stand, "select 1")
    assert _labels(_uncompiled(stand, "mart: boom")) == ["Open mart"]
