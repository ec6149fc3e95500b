"""Many runs at once: each is cancelled or repeated for itself, and what could not be done is told."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from common.access import Permission
from common.errors import UserError
from orchestration.models import Run
from orchestration.services.runs import cancel_run, retry_run
from tenants.actors import Actor
from tenants.models import Organization

#: More than a person ticks; a request must end.
MOST_AT_ONCE = 200


@dataclass
class BulkOutcome:
    """The runs it was done to (for a retry, the new ones), and why not to the others, by number."""

    done: list[Run] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def cancel_runs(*, organization: Organization, actor: Actor, numbers: Iterable[int]) -> BulkOutcome:
    """Cancel these runs; one that has ended already is refused, the others are cancelled all the same."""
    return _each(organization, actor, numbers, lambda run: cancel_run(run=run, actor=actor))


def retry_runs(
    *,
    organization: Organization,
    actor: Actor,
    numbers: Iterable[int],
    from_failure: bool = False,
) -> BulkOutcome:
    """Run these again, the oldest first; see ``retry_run``."""
    return _each(
        organization,
        actor,
        numbers,
        lambda run: retry_run(run=run, actor=actor, from_failure=from_failure),
    )


def _each(
    organization: Organization,
    actor: Actor,
    numbers: Iterable[int],
    do: Callable[[Run], Run],
) -> BulkOutcome:
    actor.require(Permission.RUN)
    wanted = sorted(set(numbers))
    if not wanted:
        raise UserError("No run is selected.", field="numbers", remedy="Tick at least one run.")
    if len(wanted) > MOST_AT_ONCE:
        raise UserError(
            f"{len(wanted)} runs are selected, and at most {MOST_AT_ONCE} are taken at once.",
            field="numbers",
            remedy="Take them in several goes.",
        )
    rows = Run.objects.for_organization(organization).filter(number__in=wanted)
    found = {run.number: run for run in rows.select_related("organization", "schedule")}
    outcome = BulkOutcome()
    for number in wanted:
        if (run := found.get(number)) is None:
            outcome.refused[number] = f"There is no run #{number} in this organization."
            continue
        try:
            outcome.done.append(do(run))
        except UserError as error:
            outcome.refused[number] = str(error)
    return outcome
