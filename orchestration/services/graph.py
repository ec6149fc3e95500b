"""Drawing, changing and removing edges of the graph, and the rules of its nodes."""

from typing import Any

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import NotFound, UserError
from orchestration.engine.freshness import last_success
from orchestration.errors import CyclicDependency
from orchestration.graph import find_thing, graph_of, node_for
from orchestration.models import Dependency, Node, UpstreamRule
from tenants.actors import Actor
from tenants.models import Organization

SHORTEST_WINDOW = 60
LONGEST_WINDOW = 366 * 86_400


@transaction.atomic
def add_dependency(
    *,
    organization: Organization,
    actor: Actor,
    upstream: str,
    downstream: str,
    max_age_seconds: int | None = None,
    rule: str = "",
) -> Dependency:
    """Let ``downstream`` wait for ``upstream`` (keys). A circle is refused, naming its path.

    ``max_age_seconds`` is the freshness window, ``rule`` the downstream node's for all its upstreams; empty leaves it.
    """
    actor.require(Permission.EDIT)
    _check_window(max_age_seconds)
    # Two edges added at once could close a circle together; they take turns here.
    Organization.objects.select_for_update().get(pk=organization.pk)
    first = node_of(organization, upstream, "upstream")
    second = node_of(organization, downstream, "downstream")
    graph = graph_of(organization)
    if first == second:
        raise CyclicDependency([upstream, downstream], names=graph.titles([upstream, downstream]))
    if cycle := graph.cycle_with(frozenset({(upstream, downstream)})):
        raise CyclicDependency(cycle, names=graph.titles(cycle))
    rows = Dependency.objects.for_organization(organization)
    if rows.filter(upstream=first, downstream=second).exists():
        raise UserError(
            "This dependency exists already.",
            field="upstream",
            remedy="Change the one that is there.",
        )
    dependency = Dependency(
        organization=organization,
        upstream=first,
        downstream=second,
        max_age_seconds=max_age_seconds,
    )
    dependency.save()
    _know_success(first, max_age_seconds)
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.DEPENDENCY_ADDED,
        target=dependency,
        changes={"max_age_seconds": [None, max_age_seconds]} if max_age_seconds else {},
    )
    if rule:
        _set_rule(second, actor, rule)
    return dependency


@transaction.atomic
def update_dependency(
    *, dependency: Dependency, actor: Actor, max_age_seconds: int | None
) -> Dependency:
    """Another freshness window; None asks for no success at all. Runs that were requested keep what they had."""
    actor.require(Permission.EDIT)
    _check_window(max_age_seconds)
    changes = audit.difference(
        {"max_age_seconds": dependency.max_age_seconds}, {"max_age_seconds": max_age_seconds}
    )
    if not changes:
        return dependency
    dependency.max_age_seconds = max_age_seconds
    dependency.save(update_fields=["max_age_seconds"])
    _know_success(dependency.upstream, max_age_seconds)
    audit.record(
        organization=dependency.organization,
        actor=actor,
        action=AuditAction.DEPENDENCY_UPDATED,
        target=dependency,
        changes=changes,
    )
    return dependency


@transaction.atomic
def remove_dependency(*, dependency: Dependency, actor: Actor) -> None:
    actor.require(Permission.EDIT)
    audit.record(
        organization=dependency.organization,
        actor=actor,
        action=AuditAction.DEPENDENCY_REMOVED,
        target=dependency,
    )
    dependency.delete()


@transaction.atomic
def set_rule(*, organization: Organization, actor: Actor, key: str, rule: str) -> Node:
    """Say how many upstreams of a node have to succeed before it runs. Runs that were requested keep what they had."""
    thing = None if actor.can(Permission.EDIT) else find_thing(organization, key)
    actor.require(Permission.EDIT, on=thing)
    return _set_rule(node_of(organization, key, "node"), actor, rule)


def refuse_circle(*, organization: Organization, **_: Any) -> None:
    """Receiver of changes below: SQL, or what comes back from the trash, must not close a circle with drawn edges."""
    Organization.objects.select_for_update().get(pk=organization.pk)
    graph = graph_of(organization)
    if cycle := graph.cycle_with():
        raise CyclicDependency(cycle, names=graph.titles(cycle), field="sql")


def node_of(organization: Organization, key: str, field: str) -> Node:
    """The node of a key, or ``NotFound`` naming ``field``."""
    thing = find_thing(organization, key)
    if thing is None:
        raise NotFound(
            f"There is no {key!r} in this organization.",
            field=field,
            remedy="Use pipeline:<slug> or transformation:<name>.",
        )
    return node_for(thing)


def _set_rule(node: Node, actor: Actor, rule: str) -> Node:
    if rule not in UpstreamRule.values:
        raise UserError(
            f"{rule!r} is not a rule.",
            field="rule",
            remedy=f"Use {', '.join(UpstreamRule.values)}.",
        )
    changes = audit.difference({"rule": node.rule}, {"rule": rule})
    if not changes:
        return node
    node.rule = rule
    node.save(update_fields=["rule"])
    audit.record(
        organization=node.organization,
        actor=actor,
        action=AuditAction.NODE_RULE_CHANGED,
        target=node,
        changes=changes,
    )
    return node


def _check_window(seconds: int | None) -> None:
    if seconds is not None and not SHORTEST_WINDOW <= seconds <= LONGEST_WINDOW:
        raise UserError(
            "A freshness window is between one minute and 366 days.",
            field="max_age_seconds",
            remedy="Give it in seconds (60 to 31622400), or leave it out for none.",
        )


def _know_success(node: Node, window: int | None) -> None:
    """A node that is watched from now on begins with what earlier runs tell."""
    thing = node.pipeline or node.transformation
    if window is not None and node.succeeded_at is None and thing is not None:
        node.succeeded_at = last_success(thing)
        node.save(update_fields=["succeeded_at"])
