"""What requests about runs, backfills and the trash are about, so that a grant on a pipeline reaches them.

A run belongs to who may use every pipeline of it. Transformations are not shared, so a run with one of them never does.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from common.access import Permission, register_grantable
from common.errors import UserError
from common.scoping import OrganizationOwned
from connections.models import Connection
from orchestration.blueprints import chosen_of
from orchestration.graph import find_thing, graph_of
from orchestration.models import Backfill, Run, RunStep
from pipelines.models import Pipeline
from tenants.actors import Actor
from tenants.models import Organization

Things = tuple[OrganizationOwned, ...]
NOTHING: Things = ()


def pipelines_of(runs: Iterable[Run]) -> dict[int, Things]:
    """The pipelines of runs of one organization by the runs' keys; none for a run with anything else in it."""
    wanted = list(runs)
    if not wanted:
        return {}
    steps = RunStep.objects.for_organization(wanted[0].organization)
    rows = steps.filter(run__in=[run.pk for run in wanted]).values_list("run_id", "pipeline_id")
    keys: dict[int, set[int | None]] = defaultdict(set)
    for run_id, pipeline_id in rows:
        keys[run_id].add(pipeline_id)
    ids = {pk for some in keys.values() for pk in some if pk is not None}
    known = Pipeline.all_organizations.in_bulk(ids)
    return {
        run.pk: NOTHING
        if None in keys[run.pk]
        else tuple(known[pk] for pk in keys[run.pk] if pk is not None)
        for run in wanted
    }


def things_of(run: Run) -> Things:
    return pipelines_of([run])[run.pk]


def visible(actor: Actor, runs: list[Run]) -> list[Run]:
    """Those the actor may see: all of them, or those of pipelines that were shared with a guest."""
    if actor.can(Permission.VIEW):
        return runs
    found = pipelines_of(runs)
    return [run for run in runs if actor.can(Permission.VIEW, on=found[run.pk])]


def runnable_by_grant(actor: Actor, runs: list[Run]) -> set[int]:
    """The numbers of those that the actor may cancel and repeat though the role alone does not allow it."""
    if actor.can(Permission.RUN) or not actor.has_grants:
        return set()
    found = pipelines_of(runs)
    return {run.number for run in runs if actor.can(Permission.RUN, on=found[run.pk])}


def may_run(actor: Actor, run: Run) -> bool:
    """Whether the actor may cancel and repeat it."""
    return actor.can(Permission.RUN) or actor.can(Permission.RUN, on=things_of(run))


def may_view(actor: Actor, run: Run) -> bool:
    return actor.can(Permission.VIEW) or actor.can(Permission.VIEW, on=things_of(run))


def require_run(
    actor: Actor, organization: Organization, target: str, select: str, run: Run | None = None
) -> None:
    """Raise ``PermissionDenied`` unless the actor may run all of it: before it is made, and with ``run`` after."""
    if actor.can(Permission.RUN):
        return
    things = (
        things_of(run) if run else asked_for(organization, {"target": target, "select": select})
    )
    actor.require(Permission.RUN, on=things, grantable=True)


def asked_for(organization: Organization, arguments: Mapping[str, Any]) -> Things:
    """The pipelines of ``target`` and ``select``; none where anything else is among them."""
    target, select = (str(arguments.get(name) or "") for name in ("target", "select"))
    if not select.strip():
        return _shareable([find_thing(organization, target)])
    try:
        keys = chosen_of(graph_of(organization), target, select)
    except UserError:
        return NOTHING
    return _shareable([find_thing(organization, key) for key in keys])


def _shareable(things: Iterable[OrganizationOwned | None]) -> Things:
    found = list(things)
    return (
        tuple(one for one in found if one)
        if all(isinstance(one, Pipeline) for one in found)
        else ()
    )


def _run(organization: Organization, arguments: Mapping[str, Any]) -> Things:
    run = Run.objects.for_organization(organization).filter(number=arguments["number"]).first()
    return things_of(run) if run else NOTHING


def _backfill(organization: Organization, arguments: Mapping[str, Any]) -> Things:
    rows = Backfill.objects.for_organization(organization).select_related("pipeline")
    backfill = rows.filter(number=arguments["number"]).first()
    return (backfill.pipeline,) if backfill else NOTHING


def _in_trash(organization: Organization, arguments: Mapping[str, Any]) -> Things:
    models: dict[str, Any] = {"pipeline": Pipeline, "connection": Connection}
    model = models.get(str(arguments["kind"]))
    if model is None:
        return NOTHING
    return tuple(model.objects.trash_of(organization).filter(pk=arguments["pk"]))


def _node(organization: Organization, arguments: Mapping[str, Any]) -> Things:
    return _shareable([find_thing(organization, str(arguments["key"]))])


def _named_node(organization: Organization, arguments: Mapping[str, Any]) -> Things:
    return _shareable([find_thing(organization, str(arguments.get("node") or ""))])


def register() -> None:
    register_grantable("run", _run)
    register_grantable("target", asked_for)
    register_grantable("backfill", _backfill)
    register_grantable("trash", _in_trash)
    register_grantable("node", _node)
    register_grantable("named node", _named_node)
