"""What a run that ends brings about: told once, counted, closed, and written in its own transaction."""

import pytest
from django.core import mail
from django.db import transaction

from alerts import sending, services
from alerts.models import AlertRule, Condition
from alerts.tests.factories import (
    OPERATOR,
    deliveries,
    events,
    incidents,
    make_channel,
    make_rule,
    run_once,
    titles,
)
from alerts.watch import watch
from connections.models import Connection
from orchestration.tests import factories as make
from pipelines.models import Pipeline
from tenants.models import Organization


def test_a_failure_is_told_once_and_its_end_once(
    organization: Organization, stand: Connection
) -> None:
    make_rule(organization)
    first = run_once(organization, good=False)
    assert titles() == ["Orders failed"]
    data = deliveries()[0].message["data"]
    assert data["condition"] == "failure"
    subject = data["subjects"][0]
    assert subject["text"] == "The server refused the password."
    assert subject["remedy"] == "Give another password."
    assert data["run"]["number"] == first.number
    assert data["run"]["started_by"] == "Command line"
    assert data["url"].endswith(f"/o/acme/runs/{first.number}/")

    for _ in range(3):
        run_once(organization, good=False)
    assert events() == ["opened"]
    assert incidents()[0].count == 4
    run_once(organization, good=True)
    assert events() == ["opened", "recovered"]
    assert titles()[1] == "Orders succeeded again"
    run_once(organization, good=True)
    assert len(events()) == 2
    # It begins anew.
    run_once(organization, good=False)
    assert events() == ["opened", "recovered", "opened"]


def test_failures_in_a_row(organization: Organization, stand: Connection) -> None:
    make_rule(organization, failures_in_a_row=3)
    for good in (False, False, True, False, False):
        run_once(organization, good=good)
    assert events() == []
    run_once(organization, good=False)
    assert titles() == ["Orders failed 3 times in a row"]
    run_once(organization, good=False)
    run_once(organization, good=True)
    assert events() == ["opened", "recovered"]


def test_each_thing_is_an_incident_of_its_own(
    organization: Organization, stand: Connection
) -> None:
    make_rule(organization)
    run_once(organization, good=False)
    run_once(organization, good=False, target="pipeline:users")
    run_once(organization, good=True)
    assert titles() == ["Orders failed", "Users failed", "Orders succeeded again"]


def test_scopes(organization: Organization, stand: Connection) -> None:
    pipeline = Pipeline.objects.for_organization(organization).get(slug="users")
    pipeline.tags = ["daily"]
    pipeline.save(update_fields=["tags"])
    channel = make_channel(organization)
    make_rule(organization, channel, name="One", scope="pipeline", pipeline="orders")
    make_rule(organization, channel, name="Tag", scope="tag", tag="daily")
    run_once(organization, good=False)
    assert [delivery.rule.name for delivery in deliveries() if delivery.rule] == ["One"]
    run_once(organization, good=False, target="pipeline:users")
    assert [delivery.rule.name for delivery in deliveries() if delivery.rule] == ["One", "Tag"]


def test_a_build_tells_of_the_models_that_failed_in_one_message(
    organization: Organization, stand: Connection
) -> None:
    for name in ("fct_a", "fct_b", "fct_c"):
        make.make_transformation(organization, name, stand)
    make_rule(organization)
    make_rule(organization, name="Tagged", scope="tag", tag="nightly")
    run = make.make_run(organization)
    for step in make.steps(run):
        names = [key.partition(":")[2] for key in step.nodes if key.startswith("transformation")]
        bad = {"fct_a", "stg_orders"}
        results = [make.model(n, "failed" if n in bad else "succeeded") for n in names]
        error = [make.failed("2 of 4 failed.", "dbt_failed")] if names else [make.done()]
        make.finish(step, [*results, *error])
    assert sorted(titles()) == ["fct_a, stg_orders failed", "stg_orders failed"]
    assert {i.subject for i in incidents()} == {"transformation:fct_a", "transformation:stg_orders"}


def test_no_rule_no_words(organization: Organization, stand: Connection) -> None:
    run_once(organization, good=False)
    assert incidents() == []


def test_without_recovery(organization: Organization, stand: Connection) -> None:
    make_rule(organization, tells_recovery=False)
    run_once(organization, good=False)
    run_once(organization, good=True)
    assert events() == ["opened"]


def test_a_muted_rule_tells_what_is_still_open_when_the_mute_ends(
    organization: Organization, stand: Connection
) -> None:
    rule = make_rule(organization)
    services.mute_rule(rule=rule, actor=OPERATOR)
    run_once(organization, good=False)
    run_once(organization, good=False, target="pipeline:users")
    run_once(organization, good=True, target="pipeline:users")
    watch()
    assert events() == []
    services.unmute_rule(rule=rule, actor=OPERATOR)
    AlertRule.all_organizations.update(checked_at=None)
    watch()
    assert titles() == ["Orders failed"]
    run_once(organization, good=True)
    assert events() == ["opened", "recovered"]


def test_what_is_written_falls_with_the_run(organization: Organization, stand: Connection) -> None:
    make_rule(organization)
    run = make.make_run(organization, "pipeline:orders")

    with transaction.atomic():
        make.finish(make.steps(run)[0], [make.failed()])
        assert len(deliveries()) == 1
        transaction.set_rollback(True)
    assert deliveries() == []


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_on_commit_and_a_dead_broker_loses_nothing(
    organization: Organization, stand: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(organization)

    def dead(*_args: object, **_options: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("alerts.tasks.send.apply_async", dead)
    run_once(organization, good=False)
    assert sending.has_due()
    assert sending.send_due() == 1
    assert len(mail.outbox) == 1
    assert mail.outbox[0].subject == "[Acme] Orders failed"


def test_a_changed_rule_starts_afresh_and_a_deleted_pipeline_closes_quietly(
    organization: Organization, stand: Connection
) -> None:
    rule = make_rule(organization)
    run_once(organization, good=False)
    settings = services.settings_of(rule)
    services.update_rule(rule=rule, actor=OPERATOR, settings=settings)
    assert incidents()[0].closed_at is None
    changed = services.RuleSettings(**{**settings.__dict__, "failures_in_a_row": 2})
    services.update_rule(rule=rule, actor=OPERATOR, settings=changed)
    assert incidents()[0].closed_at is not None
    run_once(organization, good=False)
    run_once(organization, good=False)
    assert events() == ["opened", "opened"]
    Pipeline.objects.for_organization(organization).get(slug="orders").put_in_trash()
    watch()
    assert all(incident.closed_at for incident in incidents())
    assert events() == ["opened", "opened"]
    assert {incident.condition for incident in incidents()} == {Condition.FAILURE}
