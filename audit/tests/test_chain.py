"""Every event is linked by the database, whatever wrote it, and nothing but retention takes it away.

``chaos`` runs this file on PostgreSQL as well (``test_postgres``).
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from time import sleep
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from audit import database, guard, services
from audit.actions import AuditAction
from audit.database.adoption import adopt
from audit.digests import link_digest
from audit.models import INSTALLATION, AuditChain, AuditEvent, AuditIsAppendOnly, AuditLink
from audit.tests.factories import add, no_triggers
from audit.verification import Tally, verify
from common import bulk
from conftest_site import Person
from pipelines.models import PipelineDraft
from tenants.actors import Actor
from tenants.models import Organization, User

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPERATOR = Actor.operator()


def chain_of(organization: Organization | None) -> list[AuditLink]:
    number = organization.pk if organization else INSTALLATION
    return list(AuditLink.objects.filter(chain_id=number).order_by("sequence"))


def wrong() -> list[str]:
    return [str(finding) for finding in verify(Tally())]


def test_each_event_hangs_on_the_one_before(organization: Organization) -> None:
    before = len(chain_of(organization))
    with transaction.atomic():
        for number in range(3):
            add(organization, NOW, label=f"Actor {number}")
        add(None, NOW)
    links = chain_of(organization)
    assert [link.sequence for link in links] == list(range(1, before + 4))
    previous = ""
    for link in links:
        assert link.digest == link_digest(previous, link.sequence, link.event.content_digest)
        previous = link.digest
    head = AuditChain.objects.get(pk=organization.pk)
    assert (head.sequence, head.digest) == (before + 3, previous)
    assert len(chain_of(None)) == 1
    assert wrong() == []


def test_many_at_once_and_one_by_one_are_the_same(organization: Organization) -> None:
    shared: dict[str, Any] = {"target": [None, "dag"]}
    services.record_many(
        organization=organization,
        action=AuditAction.RUN_REQUESTED,
        target_type=Organization,
        entries=[
            services.Entry(Actor.schedule("Nightly", 1), str(number), f"Run #{number}", shared)
            for number in range(2_500)
        ],
    )
    rows = AuditEvent.objects.for_organization(organization).filter(action="run.requested")
    assert rows.count() == 2_500
    assert rows.filter(link__isnull=False).count() == 2_500
    assert rows.values("content_digest").distinct().count() == 2_500
    assert wrong() == []


def test_what_is_rolled_back_leaves_no_gap(organization: Organization) -> None:
    before = len(chain_of(organization))
    _undone(organization)
    with transaction.atomic():
        add(organization, NOW, label="first")
        _undone(organization)
        with transaction.atomic():
            add(organization, NOW, label="second")
    labels = [link.event.actor_label for link in chain_of(organization)[before:]]
    assert labels == ["first", "second"]
    assert wrong() == []


def _undone(organization: Organization) -> None:
    """An event in a transaction, or a savepoint, that is rolled back."""
    with suppress(ZeroDivisionError), transaction.atomic():
        add(organization, NOW, label="undone")
        raise ZeroDivisionError


def test_two_events_in_two_organizations_are_two_chains(
    organization: Organization, stranger: Any
) -> None:
    other = stranger.membership.organization
    for pair in ((organization, other), (other, organization)):
        with transaction.atomic():
            for one in pair:
                add(one, NOW)
    assert wrong() == []
    assert {link.chain_id for link in AuditLink.objects.all()} >= {organization.pk, other.pk}


def test_the_database_refuses_to_change_or_delete(organization: Organization) -> None:
    event = add(organization, NOW)
    rows = AuditEvent.all_organizations.filter(pk=event.pk)
    links, heads = AuditLink.objects.filter(pk=event.pk), AuditChain.objects.all()
    for refused in (
        lambda: rows.update(actor_label="Nobody"),
        rows.delete,
        lambda: links.update(sequence=99),
        links.delete,
        lambda: heads.update(digest="0" * 64),
        lambda: heads.update(sequence=0),
        lambda: heads.update(pruned_sequence=1),
        heads.delete,
        organization.delete,
    ):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            refused()
    for never in (event.save, event.delete):
        with pytest.raises(AuditIsAppendOnly):
            never()
    if connection.vendor == "postgresql":
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("TRUNCATE audit_auditevent CASCADE")
    # Retention may delete, and may not change either.
    with guard.opened():
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(actor_label="Nobody")
        assert rows.delete()[0] == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent.all_organizations.all().delete()


def test_the_guard_closes_after_an_error(organization: Organization) -> None:
    with pytest.raises(ZeroDivisionError), guard.opened():
        raise ZeroDivisionError
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), guard.opened():
            raise ZeroDivisionError
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEvent.all_organizations.all().delete()


def test_writers_at_the_same_time_make_one_chain(organization: Organization, stranger: Any) -> None:
    before = len(chain_of(organization))
    other, start = stranger.membership.organization, Barrier(4)
    failed: list[DatabaseError] = []

    def write(name: str) -> None:
        try:
            start.wait(10)
            for number in range(15):
                with transaction.atomic():
                    # Both chains, now in this order and now in that.
                    for one in (organization, other)[:: 1 if number % 2 else -1]:
                        add(one, NOW, label=f"{name} {number}")
                        User.objects.filter(pk=stranger.user.pk).update(name=name)
        except DatabaseError as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(chain_of(organization)) == before + 60
    assert wrong() == []


def test_who_locks_a_row_and_who_refers_to_it_do_not_wait_for_each_other(
    organization: Organization, owner: Person
) -> None:
    """One transaction has a row and wants the chain; the other has an event and a reference to that row.

    PostgreSQL checks the reference at the commit as well: before the chain is taken, or they would wait for ever.
    """
    start, failed = Barrier(2), list[DatabaseError]()

    def write(is_locking: bool) -> None:
        try:
            for _ in range(25):
                start.wait(10)
                with transaction.atomic():
                    if is_locking:
                        User.objects.select_for_update().get(pk=owner.user.pk)
                        sleep(0.01)
                    add(organization, NOW)
                    if not is_locking:
                        PipelineDraft(
                            organization=organization, created_by=owner.user, data={}
                        ).save()
        except DatabaseError as error:
            failed.append(error)
            start.abort()
        finally:
            connection.close()

    threads = [Thread(target=write, args=(one,)) for one in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert wrong() == []


def test_triggers_that_went_are_made_again_and_what_came_meanwhile_is_linked(
    organization: Organization,
) -> None:
    with no_triggers():
        assert not database.is_installed()
        late = add(organization, NOW, label="late")
        old = {"organization_id": organization.pk, "at": NOW, "actor_kind": "user"}
        bulk.insert(AuditEvent, [old | {"actor_label": "of an older version", "changes": {}}])
        assert not AuditLink.objects.filter(pk=late.pk).exists()
        assert sum("no place in the chain" in text for text in wrong()) == 2
        with transaction.atomic():
            assert adopt() == 2
    call_command("migrate", verbosity=0)
    assert database.is_installed()
    add(organization, NOW)
    labels = [link.event.actor_label for link in chain_of(organization)[-3:]]
    assert labels == ["late", "of an older version", "Olga"]
    assert wrong() == []


def test_a_chain_loses_its_beginning_and_stays_whole(organization: Organization) -> None:
    for number in range(20):
        add(None, NOW + timedelta(days=number))
    before = NOW + timedelta(days=10)
    assert list(services.prunable(before)) == [(INSTALLATION, 10)]
    assert services.count_prunable(before, None) == 10
    assert services.count_prunable(before, 4) == 4
    services.announce_pruning(INSTALLATION, 10, before=before, actor=OPERATOR)
    assert [services.take_beginning(INSTALLATION, 10, 6) for _ in range(3)] == [6, 4, 0]
    head = AuditChain.objects.get(pk=INSTALLATION)
    assert (head.pruned_sequence, head.sequence) == (10, 21)
    assert [link.sequence for link in chain_of(None)] == list(range(11, 22))
    assert wrong() == []
    # What is a day older than wanted waits, so that pruning does not feed itself.
    assert list(services.prunable(NOW + timedelta(days=10, hours=23))) == []
    add(None, NOW + timedelta(days=30))
    assert wrong() == []


def test_a_removed_organization_takes_its_chain_along(stranger: Any) -> None:
    other = stranger.membership.organization
    number = other.pk
    add(other, NOW)
    while services.take_all(number, 1):
        pass
    with transaction.atomic():
        services.remove_chain(other, actor=OPERATOR)
        other.delete()
    assert not AuditLink.objects.filter(chain_id=number).exists()
    assert not AuditChain.objects.filter(pk=number).exists()
    (left,) = AuditEvent.all_organizations.filter(action="organization.removed")
    assert (left.organization, left.target_id, left.target_label) == (
        None,
        str(number),
        "Elsewhere",
    )
    assert wrong() == []
