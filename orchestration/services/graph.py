"""Drawing and removing edges of the graph."""

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import NotFound, UserError
from orchestration.errors import CyclicDependency
from orchestration.graph import find_thing, graph_of, node_for
from orchestration.models import (
    Dependency,
    Node,
)
from tenants.actors import Actor
from tenants.models import Organization


@transaction.atomic
def add_dependency(
    *, organization: Organization, actor: Actor, upstream: str, downstream: str
) -> Dependency:
    """Let ``downstream`` wait for ``upstream`` (keys). A circle is refused, naming its path."""
    actor.require(Permission.EDIT)
    # Two edges added at once could close a circle together; they take turns here.
    Organization.objects.select_for_update().get(pk=organization.pk)
    first = node_of(organization, upstream, "upstream")
    second = node_of(organization, downstream, "downstream")
    if first == second:
        raise CyclicDependency([upstream, downstream])
    graph = graph_of(organization)
    if cycle := graph.cycle_with(frozenset({(upstream, downstream)})):
        raise CyclicDependency(cycle)
    rows = Dependency.objects.for_organization(organization)
    if rows.filter(upstream=first, downstream=second).exists():
        raise UserError("This dependency exists already.", field="upstream")
    dependency = Dependency(organization=organization, upstream=first, downstream=second)
    dependency.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.DEPENDENCY_ADDED,
        target=dependency,
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
