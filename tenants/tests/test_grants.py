"""Single things shared with single members: the services, what an actor may then do, and when it ends."""

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from guardian.models import UserObjectPermission

from audit.models import AuditEvent
from common.access import Permission, Role
from common.errors import NotFound, PermissionDenied, UserError
from conftest_site import Person, make_person
from connections import services as connections
from connections.models import Connection
from orchestration import services as orchestration
from orchestration.tests.factories import make_connection, make_pipeline
from pipelines import services as pipelines
from pipelines.models import Pipeline
from tenants import selectors, services
from tenants.actors import Actor
from tenants.models import Organization


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    return make_connection(organization)


@pytest.fixture
def pipeline(organization: Organization, warehouse: Connection) -> Pipeline:
    return make_pipeline(organization, "Orders", warehouse)


def share(on: Any, person: Person, permission: str, giver: Person) -> None:
    assert person.membership is not None
    services.give_grant(
        on=on, membership=person.membership, permission=permission, actor=giver.actor
    )


def rows() -> int:
    return int(UserObjectPermission.objects.count())


def test_a_grant_holds_on_one_thing_and_includes_the_weaker_ones(
    organization: Organization, pipeline: Pipeline, viewer: Person, admin: Person
) -> None:
    other = make_pipeline(organization, "Customers", pipeline.destination)
    share(pipeline, viewer, "run", admin)
    assert viewer.actor.can(Permission.RUN, on=pipeline)
    assert not viewer.actor.can(Permission.EDIT, on=pipeline)
    assert not viewer.actor.can(Permission.RUN), "a grant is no role"
    assert not viewer.actor.can(Permission.RUN, on=other)
    assert not viewer.actor.can(Permission.RUN, on=(pipeline, other)), "each of them is needed"
    assert not viewer.actor.can(Permission.RUN, on=pipeline.source)
    share(pipeline, viewer, "edit", admin)
    assert viewer.actor.can(Permission.RUN, on=pipeline)
    assert viewer.actor.can(Permission.EDIT, on=pipeline)
    assert rows() == 1, "a grant takes the place of the one before it"
    assert not viewer.actor.can(Permission.MANAGE_MEMBERS, on=pipeline)


def test_a_connection_and_a_pipeline_of_the_same_number_are_two_things(
    pipeline: Pipeline, warehouse: Connection, guest: Person, admin: Person
) -> None:
    pipeline.pk = warehouse.pk
    share(warehouse, guest, "edit", admin)
    assert guest.actor.can(Permission.EDIT, on=warehouse)
    assert not guest.actor.can(Permission.VIEW, on=pipeline)


def test_only_who_manages_members_shares(
    pipeline: Pipeline, viewer: Person, editor: Person, guest: Person, admin: Person
) -> None:
    share(pipeline, viewer, "edit", admin)
    for giver in (viewer, editor, guest):
        with pytest.raises(PermissionDenied):
            share(pipeline, guest, "view", giver)
        with pytest.raises(PermissionDenied):
            services.take_grant(on=pipeline, membership=viewer.membership, actor=giver.actor)  # type: ignore[arg-type]
    assert rows() == 1


def test_nobody_gives_more_than_they_have(
    organization: Organization, pipeline: Pipeline, owner: Person, viewer: Person
) -> None:
    key, _text = services.issue_api_key(
        organization=organization,
        name="People",
        role=Role.ADMIN,
        scopes=["manage", "read"],
        actor=owner.actor,
    )
    assert viewer.membership is not None
    with pytest.raises(PermissionDenied, match="scope"):
        services.give_grant(
            on=pipeline,
            membership=viewer.membership,
            permission="run",
            actor=Actor.api_key(key),
        )
    assert rows() == 0


def test_what_a_role_allows_is_not_given_again(
    pipeline: Pipeline, editor: Person, viewer: Person, admin: Person
) -> None:
    with pytest.raises(UserError, match="role editor allows it"):
        share(pipeline, editor, "run", admin)
    with pytest.raises(UserError, match="role viewer allows it"):
        share(pipeline, viewer, "view", admin)
    with pytest.raises(UserError, match="cannot be shared"):
        share(pipeline, viewer, "manage_members", admin)


def test_nothing_is_shared_with_who_is_no_member(
    pipeline: Pipeline, stranger: Person, admin: Person
) -> None:
    with pytest.raises(NotFound, match="no member"):
        share(pipeline, stranger, "view", admin)
    assert rows() == 0


def test_an_admin_of_another_organization_shares_nothing_here(
    pipeline: Pipeline, stranger: Person, viewer: Person
) -> None:
    with pytest.raises(PermissionDenied):
        share(pipeline, viewer, "run", stranger)
    assert rows() == 0


def test_grants_of_one_organization_mean_nothing_in_another(
    pipeline: Pipeline, stranger: Person, admin: Person, guest: Person
) -> None:
    """Gina is a guest of both; what Acme shared with her is not there for her in Elsewhere."""
    share(pipeline, guest, "edit", admin)
    assert stranger.membership is not None
    elsewhere = services.add_member(
        organization=stranger.membership.organization,
        user=guest.user,
        role=Role.EDITOR,
        actor=Actor.operator(),
    )
    there = Actor.member(elsewhere)
    assert there.can(Permission.EDIT)
    assert not there.can(Permission.EDIT, on=pipeline), "a role says nothing about foreign things"
    assert not there.can(Permission.VIEW, on=pipeline)
    assert selectors.shared_with(elsewhere) == []


def test_grants_end_with_the_membership(
    organization: Organization, pipeline: Pipeline, guest: Person, admin: Person, stranger: Person
) -> None:
    assert guest.membership is not None
    assert stranger.membership is not None
    elsewhere = stranger.membership.organization
    foreign = make_pipeline(elsewhere, "Theirs", make_connection(elsewhere))
    there = services.add_member(
        organization=elsewhere, user=guest.user, role=Role.GUEST, actor=Actor.operator()
    )
    services.give_grant(on=foreign, membership=there, permission="run", actor=stranger.actor)
    share(pipeline, guest, "edit", admin)
    services.remove_member(membership=guest.membership, actor=admin.actor)
    again = services.add_member(
        organization=organization, user=guest.user, role=Role.GUEST, actor=Actor.operator()
    )
    assert not Actor.member(again).can(Permission.VIEW, on=pipeline)
    assert Actor.member(there).can(Permission.RUN, on=foreign), "the others stay"


def test_grants_rest_in_the_trash_and_end_with_the_thing(
    organization: Organization, pipeline: Pipeline, guest: Person, admin: Person
) -> None:
    assert guest.membership is not None
    share(pipeline, guest, "edit", admin)
    pipelines.delete_pipeline(pipeline=pipeline, actor=guest.actor)
    assert selectors.shared_with(guest.membership) == []
    gone = orchestration.find_in_trash(organization, "pipeline", pipeline.pk)
    orchestration.restore_from_trash(kind="pipeline", row=gone, actor=guest.actor)
    assert [one.thing for one in selectors.shared_with(guest.membership)] == [pipeline]
    pipeline.refresh_from_db()
    pipelines.delete_pipeline(pipeline=pipeline, actor=admin.actor)
    with pytest.raises(UserError, match="trash"):
        share(pipeline, guest, "view", admin)
    gone = orchestration.find_in_trash(organization, "pipeline", pipeline.pk)
    with pytest.raises(PermissionDenied):
        orchestration.purge_from_trash(kind="pipeline", row=gone, actor=guest.actor)
    orchestration.purge_from_trash(kind="pipeline", row=gone, actor=admin.actor)
    assert rows() == 0


def test_grants_end_with_the_organization(
    organization: Organization, pipeline: Pipeline, guest: Person, admin: Person
) -> None:
    """As the retention removes it: memberships first, then the things."""
    share(pipeline, guest, "edit", admin)
    assert guest.membership is not None
    guest.membership.delete()
    assert rows() == 0


def test_giving_and_taking_are_in_the_audit_log(
    organization: Organization, pipeline: Pipeline, viewer: Person, admin: Person
) -> None:
    share(pipeline, viewer, "run", admin)
    share(pipeline, viewer, "edit", admin)
    assert viewer.membership is not None
    services.take_grant(on=pipeline, membership=viewer.membership, actor=admin.actor)
    with pytest.raises(NotFound, match="Nothing of this is shared"):
        services.take_grant(on=pipeline, membership=viewer.membership, actor=admin.actor)
    events = AuditEvent.objects.for_organization(organization).filter(action__startswith="grant.")
    told = [(e.action, e.actor_label, e.target_label, e.changes) for e in events.order_by("pk")]
    assert told == [
        ("grant.given", "Adam", "Orders", {"viktor@example.com": [None, "run"]}),
        ("grant.given", "Adam", "Orders", {"viktor@example.com": ["run", "edit"]}),
        ("grant.taken", "Adam", "Orders", {"viktor@example.com": ["edit", None]}),
    ]


def test_grants_are_read_once_and_only_where_the_role_does_not_do(
    organization: Organization, pipeline: Pipeline, viewer: Person, editor: Person, admin: Person
) -> None:
    share(pipeline, viewer, "run", admin)
    others = [make_pipeline(organization, f"P{n}", pipeline.destination) for n in range(5)]
    mine, theirs = viewer.actor, editor.actor
    with CaptureQueriesContext(database) as asked:
        assert all(theirs.can(Permission.RUN, on=one) for one in [pipeline, *others])
    assert len(asked) == 0
    with CaptureQueriesContext(database) as asked:
        allowed = [mine.can(Permission.RUN, on=one) for one in [pipeline, *others]]
    assert allowed == [True, *[False] * 5]
    assert len(asked) == 1


def test_keys_hold_no_grants(
    organization: Organization, pipeline: Pipeline, owner: Person, viewer: Person, admin: Person
) -> None:
    share(pipeline, viewer, "edit", admin)
    key, _text = services.issue_api_key(
        organization=organization,
        name="CI",
        role=Role.VIEWER,
        actor=owner.actor,
        created_by=viewer.user,
    )
    assert not Actor.api_key(key).can(Permission.RUN, on=pipeline)
    with pytest.raises(UserError, match="shared with people"):
        services.issue_api_key(
            organization=organization, name="G", role=Role.GUEST, actor=owner.actor
        )


def test_guests_have_the_weakest_role(organization: Organization, admin: Person) -> None:
    person = make_person("Gus", organization, Role.GUEST)
    assert person.actor.permissions == {Permission.BELONG}
    assert person.membership is not None
    services.change_role(membership=person.membership, role=Role.VIEWER, actor=admin.actor)
    services.leave(organization=organization, actor=person.actor)


def test_a_connection_is_tested_by_who_may_use_it(
    warehouse: Connection, guest: Person, admin: Person
) -> None:
    with pytest.raises(PermissionDenied):
        connections.check_connection(connection=warehouse, actor=guest.actor)
    share(warehouse, guest, "run", admin)
    assert connections.check_connection(connection=warehouse, actor=guest.actor)
    with pytest.raises(PermissionDenied):
        connections.delete_connection(connection=warehouse, actor=guest.actor, users=[])
