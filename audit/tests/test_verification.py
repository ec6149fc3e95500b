"""Each way to tamper with the log, and what ``verify_audit`` says of it.

``chaos`` runs this file on PostgreSQL as well (``test_postgres``).
"""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F

from audit import guard, services
from audit.database.adoption import adopt
from audit.digests import FIELDS, content_digest
from audit.models import INSTALLATION, AuditChain, AuditEvent, AuditLink
from audit.tests.factories import add, no_triggers
from audit.verification import Kind, Tally, verify, walk
from tenants.actors import Actor
from tenants.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(*arguments: str) -> tuple[int, str]:
    """The command's status and words."""
    out = io.StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out)
    except SystemExit as ending:
        return int(str(ending.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def events(db: None) -> list[AuditEvent]:
    """Nine events of the installation's chain, places 1 to 9."""
    return [add(None, NOW + timedelta(minutes=number)) for number in range(9)]


def changed(event: AuditEvent, *, digest: bool = False, **values: Any) -> None:
    """The row as somebody with the database's password leaves it."""
    if digest:
        whole = {name: getattr(event, name) for name in FIELDS}
        values["content_digest"] = content_digest(whole | values)
    with no_triggers():
        AuditEvent.all_organizations.filter(pk=event.pk).update(**values)


def found() -> list[tuple[Kind, int, int | None]]:
    return [(one.kind, one.sequence, one.event_id) for one in verify(Tally())]


def test_an_untouched_log_is_whole(events: list[AuditEvent]) -> None:
    assert run() == (
        0,
        "9 events in 1 chain checked, 0 anchors.\nEverything is as it was written.\n",
    )


@pytest.mark.parametrize("digest", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        {"actor_label": "Nobody"},
        {"changes": {"name": ["a", "c"]}},
        {"ip": "192.0.2.9"},
        {"at": NOW},
        {"target_id": "13"},
    ],
)
def test_a_changed_row_is_named(
    events: list[AuditEvent], values: dict[str, Any], digest: bool
) -> None:
    changed(events[4], digest=digest, **values)
    assert found() == [(Kind.CHANGED, 5, events[4].pk)]
    status, text = run()
    assert status == 1
    assert f"CHANGED chain 0 place 5: event {events[4].pk} (2026-03-01" in text
    assert "pipeline.updated" in text
    assert text.endswith("1 thing is wrong.\n")


def test_a_changed_digest_of_an_event_or_a_link_is_named(events: list[AuditEvent]) -> None:
    changed(events[1], content_digest="0" * 64)
    with no_triggers():
        AuditLink.objects.filter(pk=events[6].pk).update(digest="1" * 64)
    assert found() == [
        (Kind.CHANGED, 2, events[1].pk),
        (Kind.CHANGED, 7, events[6].pk),
    ]


def test_an_event_that_is_gone_is_named(events: list[AuditEvent]) -> None:
    with guard.opened():
        AuditEvent.all_organizations.filter(pk=events[3].pk).delete()
    assert found() == [(Kind.MISSING, 4, events[3].pk)]


def test_the_middle_with_its_links_is_missed(events: list[AuditEvent]) -> None:
    gone = [event.pk for event in events[3:6]]
    with guard.opened():
        AuditEvent.all_organizations.filter(pk__in=gone).delete()
        AuditLink.objects.filter(pk__in=gone).delete()
    assert found() == [(Kind.MISSING, 4, None)]
    assert "3 events are gone (places 4 to 6)" in run()[1]


def test_closing_the_gap_by_new_numbers_does_not_help(events: list[AuditEvent]) -> None:
    with guard.opened():
        AuditEvent.all_organizations.filter(pk=events[3].pk).delete()
        AuditLink.objects.filter(pk=events[3].pk).delete()
    with no_triggers():
        for event in events[4:]:
            AuditLink.objects.filter(pk=event.pk).update(sequence=F("sequence") - 1)
        AuditChain.objects.update(sequence=F("sequence") - 1)
    assert {kind for kind, _, _ in found()} == {Kind.CHANGED}
    assert [number for _, number, _ in found()] == [4, 5, 6, 7, 8]


def test_the_end_is_missed(events: list[AuditEvent]) -> None:
    gone = [event.pk for event in events[7:]]
    with guard.opened():
        AuditEvent.all_organizations.filter(pk__in=gone).delete()
        AuditLink.objects.filter(pk__in=gone).delete()
    assert found() == [(Kind.MISSING, 8, None)]
    assert "2 events are gone at the end: the chain goes to place 9." in run()[1]


def test_the_beginning_is_missed_though_the_chain_says_it_was_pruned(
    events: list[AuditEvent],
) -> None:
    services.take_beginning(INSTALLATION, 3, 10)
    assert found() == [(Kind.CHAIN, 0, None)]
    assert "it begins behind place 3, and the last note of pruning says 0." in run()[1]


def test_two_that_changed_places_are_told_from_two_changes(events: list[AuditEvent]) -> None:
    second, sixth = events[1], events[5]
    names = [name for name in FIELDS if name != "organization_id"] + ["content_digest"]
    contents = [{name: getattr(event, name) for name in names} for event in (second, sixth)]
    changed(second, **contents[1])
    changed(sixth, **contents[0])
    assert found() == [
        (Kind.REORDERED, 2, second.pk),
        (Kind.REORDERED, 6, sixth.pk),
    ]
    assert "stands here and belongs to place 6." in run()[1]


def test_an_event_put_in_without_a_link_is_named(events: list[AuditEvent]) -> None:
    with no_triggers():
        extra = add(None, NOW, label="Nobody")
    assert found() == [(Kind.EXTRA, 0, extra.pk)]


def test_an_event_of_another_organization_does_not_fit(
    events: list[AuditEvent], organization: Organization
) -> None:
    changed(events[4], organization=organization)
    assert found() == [(Kind.CHANGED, 5, events[4].pk)]


def test_a_head_that_was_set_back_or_is_gone(events: list[AuditEvent]) -> None:
    with no_triggers():
        AuditChain.objects.filter(pk=0).update(sequence=5)
    assert found() == [(Kind.CHAIN, 0, None)]
    with no_triggers():
        AuditChain.objects.filter(pk=0).update(sequence=9, digest="2" * 64)
    assert "another digest than its last link" in run()[1]
    with guard.opened():
        AuditChain.objects.filter(pk=0).delete()
    assert "its head is gone" in run()[1]


def test_batches_and_a_time_that_is_over(
    events: list[AuditEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "BATCH", 2)
    monkeypatch.setattr(walk, "COMPARED", 2)
    changed(events[0], actor_label="x")
    changed(events[8], actor_label="x")
    tally = Tally()
    assert len(list(verify(tally))) == tally.findings == 2
    assert (tally.events, tally.chains, tally.is_whole) == (9, 1, True)
    assert list(verify(tally, seconds=-1)) == []
    assert not tally.is_whole


def test_one_organization_only(events: list[AuditEvent], organization: Organization) -> None:
    changed(events[4], actor_label="x")
    status, text = run("--organization", organization.slug)
    assert (status, "in 1 chain checked" in text) == (0, True)
    with pytest.raises(CommandError, match="no organization 'nowhere'"):
        run("--organization", "nowhere")


def test_what_is_recomputed_in_full_is_found_by_an_anchor_only(
    events: list[AuditEvent], tmp_path: Path
) -> None:
    """Who has the database and this program can make every digest anew."""
    file = tmp_path / "anchors"
    file.write_text(run("--anchors")[1])
    add(None, NOW)
    assert run("--against", str(file))[0] == 0
    changed(events[4], digest=True, actor_label="Nobody")
    with no_triggers(), transaction.atomic():
        AuditLink.objects.all().delete()
        AuditChain.objects.all().delete()
        adopt()
    assert run()[0] == 0
    status, text = run("--against", str(file))
    assert status == 1
    assert "chain 0 does not go through the anchor of 20" in text


def test_anchors_of_what_was_pruned_or_removed_are_no_finding(
    events: list[AuditEvent], stranger: Any, tmp_path: Path
) -> None:
    file, other = tmp_path / "anchors", stranger.membership.organization
    file.write_text(run("--anchors")[1])
    actor = Actor.operator()
    for number in range(3):
        add(None, NOW + timedelta(days=number))
    services.announce_pruning(INSTALLATION, 12, before=NOW, actor=actor)
    services.take_beginning(INSTALLATION, 9, 100)
    assert run("--against", str(file))[0] == 0
    services.take_beginning(INSTALLATION, 12, 100)
    with transaction.atomic():
        services.remove_chain(other, actor=actor)
        other.delete()
    status, text = run("--against", str(file))
    assert status == 0, text
    assert "Note: chain 0: place 9 is pruned since" in text
    assert "Note: elsewhere: removed for good since" in text
    with guard.opened():
        AuditEvent.all_organizations.all().delete()
        AuditLink.objects.all().delete()
        AuditChain.objects.all().delete()
    assert "the chain of chain 0 is gone" in run("--against", str(file))[1]
    for text in ("nonsense", '{"chain": 1}'):
        file.write_text(text)
        with pytest.raises(CommandError, match="Line 1 is no anchor"):
            run("--against", str(file))
    with pytest.raises(CommandError, match="No such file"):
        run("--against", str(tmp_path / "nowhere"))


def test_missing_triggers_are_wrong_by_themselves(events: list[AuditEvent]) -> None:
    with no_triggers():
        status, text = run()
    assert status == 1
    assert "run migrate, which makes them again" in text


def test_writers_go_on_while_it_verifies(events: list[AuditEvent]) -> None:
    walking = verify(Tally())
    changed(events[0], actor_label="x")
    assert next(walking).event_id == events[0].pk
    from threading import Thread

    def write() -> None:
        try:
            add(None, NOW, label="meanwhile")
        finally:
            connection.close()

    writer = Thread(target=write)
    writer.start()
    writer.join(20)
    assert not writer.is_alive()
    assert list(walking) == []
    assert AuditEvent.all_organizations.filter(actor_label="meanwhile").exists()
