"""Starting, ending and repeating runs."""

from collections.abc import Iterable

from django.db import transaction

from common.errors import UserError
from common.graphs import downstream_of, reach
from orchestration.engine import log
from orchestration.engine.advance import broken_nodes
from orchestration.engine.cancelling import cancel
from orchestration.errors import RunNotActive, RunStillActive
from orchestration.grants import require_run
from orchestration.graph import graph_of
from orchestration.models import (
    Run,
    RunStep,
    Trigger,
)
from orchestration.options import options_of
from orchestration.replays import kept_nodes
from orchestration.requests import create_run
from orchestration.tasks import ring_on_commit
from pipelines.runner import LoadOptions
from tenants.actors import Actor
from tenants.models import Organization


@transaction.atomic
def request_run(
    *,
    organization: Organization,
    actor: Actor,
    target: str,
    select: str = "",
    trigger: Trigger = Trigger.MANUAL,
    full_refresh: bool = False,
    tables: Iterable[str] = (),
    cursor_from: str = "",
    cursor_to: str = "",
    replay_rejects: bool = False,
    idempotency_key: str = "",
) -> Run:
    """Queue a run of ``pipeline:<slug>``, ``transformation:<name>`` or ``dag``.

    ``tables``, the half-open range from ``cursor_from`` to ``cursor_to`` (deleted and loaded again) and
    ``replay_rejects`` are asked of a pipeline; ``InvalidLoadOptions`` names what it cannot do.
    The same ``idempotency_key`` again answers with the run it made the first time.
    """
    require_run(actor, organization, target, select)
    if idempotency_key:
        # Two requests with one key take turns here, so the second finds the first's run.
        Organization.objects.select_for_update().get(pk=organization.pk)
        rows = Run.objects.for_organization(organization)
        if known := rows.filter(idempotency_key=idempotency_key).first():
            require_run(actor, organization, target, select, known)
            return known
    run, ready = create_run(
        organization=organization,
        actor=actor,
        target=target,
        select=select,
        trigger=trigger,
        options=LoadOptions.of(
            full_refresh=full_refresh,
            tables=tables,
            cursor_from=cursor_from,
            cursor_to=cursor_to,
            replay_rejects=replay_rejects,
        ),
        idempotency_key=idempotency_key,
    )
    # The graph may have grown since the first look.
    require_run(actor, organization, target, select, run)
    ring_on_commit(ready)
    return run


@transaction.atomic
def cancel_run(*, run: Run, actor: Actor) -> Run:
    """Ask for the end: queued steps end now, running ones within seconds."""
    _require(actor, run)
    run = Run.objects.for_organization(run.organization).select_for_update().get(pk=run.pk)
    if not run.is_active:
        raise RunNotActive(f"Run #{run.number} has ended already.")
    ring_on_commit(cancel(run, actor))
    run.refresh_from_db()
    return run


@transaction.atomic
def retry_run(
    *, run: Run, actor: Actor, from_failure: bool = False, as_it_was: bool = False
) -> Run:
    """The same target and options again, with today's configuration.

    ``from_failure`` narrows it to what failed and what stands behind it; ``as_it_was`` executes what the run's capsule
    kept: definitions and SQL of then, through the connections and in the order of today.
    """
    _require(actor, run)
    if run.is_active:
        raise RunStillActive(
            f"Run #{run.number} has not ended yet.", remedy="Cancel it first, or wait."
        )
    only, succeeded = _from_failure(run) if from_failure else (None, frozenset[str]())
    kept = kept_nodes(run) if as_it_was else {}
    if as_it_was and only is None:
        only = set(kept)
    again, ready = create_run(
        organization=run.organization,
        actor=actor,
        target=run.target,
        select=run.select,
        trigger=Trigger.RETRY,
        options=options_of(run),
        retry_of=run,
        only=only,
        succeeded=succeeded,
    )
    if as_it_was:
        again.as_it_was = True
        again.capsule |= {"nodes": {key: kept[key] for key in again.capsule["nodes"]}}
        again.save(update_fields=["as_it_was", "capsule"])
        log.note(
            again,
            "info",
            f"Executed as it was in run #{run.number}: its settings and SQL;"
            " connections, versions and data are today's.",
        )
    _require(actor, again)
    ring_on_commit(ready)
    return again


def _require(actor: Actor, run: Run) -> None:
    """A run is for who may run everything in it."""
    require_run(actor, run.organization, run.target, run.select, run)


def _from_failure(run: Run) -> tuple[set[str], frozenset[str]]:
    """What failed with everything behind it, as far as it still exists, and what need not be done again."""
    steps = list(RunStep.objects.for_organization(run.organization).filter(run=run))
    edges = [(up, key) for step in steps for key, ups in step.nodes.items() for up in ups]
    again = reach(broken_nodes(steps), downstream_of(edges))
    succeeded = {key for step in steps for key in step.nodes} - again
    only = again & graph_of(run.organization).nodes.keys()
    if not only:
        raise UserError("Nothing of this run failed.", remedy="Run it again as a whole.")
    return only, frozenset(succeeded)
