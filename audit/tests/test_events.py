"""Events that nobody asks for by name: changed secrets, downloads, sign-ins of operators and of nobody, providers."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from conftest_site import PASSWORD, Person
from connections import services as connections
from connections.tests.helpers import CANARY, UNREACHABLE, make
from orchestration.tests.factories import make_connection, make_pipeline, make_run
from tenants.actors import Actor
from tenants.models import Organization, User
from tenants.services import providers


def events(organization: Organization | None, prefix: str) -> list[AuditEvent]:
    rows = AuditEvent.all_organizations.filter(organization=organization)
    return list(rows.filter(action__startswith=prefix).order_by("pk"))


def test_changed_secrets_are_an_event_without_their_values(
    organization: Organization, editor: Person
) -> None:
    made = make(organization, editor, "Shop")

    def update(**values: Any) -> None:
        connections.update_connection(
            connection=made, actor=editor.actor, name="Shop", values={**UNREACHABLE, **values}
        )

    update(user="other")
    assert events(organization, "connection.secrets") == []
    update(password=CANARY)
    assert events(organization, "connection.secrets") == []
    update(password="another-canary-value")
    (event,) = events(organization, "connection.secrets")
    assert (event.target_label, event.changes) == ("Shop", {"fields": [None, ["password"]]})
    whole = str(list(AuditEvent.all_organizations.values()))
    assert CANARY not in whole
    assert "another-canary-value" not in whole


def test_the_log_of_a_run_as_a_file_is_an_export(
    organization: Organization, viewer: Person
) -> None:
    make_pipeline(organization, "Orders", make_connection(organization))
    run = make_run(organization)
    address = reverse("orchestration:run-log-download", args=[organization.slug, run.number])
    assert viewer.client.get(address).status_code == 200
    (event,) = events(organization, "data.exported")
    assert (event.actor_label, event.target_label) == ("Viktor", str(run))
    assert event.changes == {"what": [None, "log"]}


@pytest.mark.parametrize("is_operator", [False, True])
def test_the_installation_knows_the_sign_ins_of_operators(
    organization: Organization, owner: Person, client: Client, is_operator: bool
) -> None:
    cache.clear()
    User.objects.filter(pk=owner.user.pk).update(is_staff=is_operator, is_superuser=is_operator)
    sign_in = reverse("account_login")
    for password in ("wrong password", PASSWORD):
        client.post(sign_in, {"login": "olga@example.com", "password": password})
    expected = [("session.sign_in_failed", "unknown"), ("session.signed_in", "user")]
    found = [(event.action, event.actor_kind) for event in events(organization, "session.")]
    assert found == expected
    everywhere = [(event.action, event.actor_kind) for event in events(None, "session.")]
    assert everywhere == ([expected[0], ("session.signed_in", "operator")] if is_operator else [])


def test_a_sign_in_of_nobody_is_the_installations(
    organization: Organization, client: Client
) -> None:
    cache.clear()
    data = {"login": "nobody@example.com", "password": "s3cret-canary"}
    client.post(reverse("account_login"), data)
    (event,) = events(None, "session.")
    assert (event.action, event.actor_label) == ("session.sign_in_failed", "nobody@example.com")
    assert "s3cret-canary" not in str(list(AuditEvent.all_organizations.values()))


def test_sign_ins_of_others_are_set_up_in_the_log(organization: Organization) -> None:
    actor = Actor.operator()
    made = providers.create_provider(
        actor=actor, client_secret=CANARY, kind="google", slug="", name="Google", client_id="abc"
    )
    providers.update_provider(provider=made, actor=actor, client_secret=CANARY + "2", name="G")
    providers.delete_provider(provider=made, actor=actor)
    told = events(None, "identity_provider.")
    assert [event.action.partition(".")[2] for event in told] == ["created", "updated", "deleted"]
    assert told[1].changes["name"] == ["Google", "G"]
    assert set(told[1].changes) == {"name", "client_secret"}
    assert CANARY not in str([event.changes for event in told])
