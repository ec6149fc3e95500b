"""The pages of alerts, as an editor and as a viewer see them."""

import re
from typing import Any

import pytest
from django.core import mail

from alerts import sending, services
from alerts.models import AlertChannel, AlertDelivery, AlertRule
from alerts.tests.factories import (
    OPERATOR,
    Receiver,
    deliveries,
    make_channel,
    make_rule,
    run_once,
)
from conftest_site import Person
from connections.models import Connection
from tenants.models import Organization

ROOT = "/o/acme/alerts/"
#: No condition at all.
NONE = {"stale_seconds": ""}


def text_of(person: Person, path: str = "") -> str:
    response = person.client.get(ROOT + path)
    assert response.status_code == 200
    return str(response.content.decode())


def test_from_nothing_to_a_rule(
    organization: Organization, stand: Connection, editor: Person
) -> None:
    assert "Nobody is told yet" in text_of(editor)
    made = editor.client.post(
        ROOT + "channels/create/?kind=email",
        {"name": "Night shift", "addresses": "a@example.com, b@example.com"},
    )
    assert made.status_code == 302
    assert AlertChannel.all_organizations.get().addresses == ["a@example.com", "b@example.com"]
    assert "No rules yet" in text_of(editor)
    form = text_of(editor, "rules/create/")
    assert "nightly" in form  # a known tag
    assert re.search(r'value="night-shift"[^>]*checked', form)
    data = {
        "name": "Nightly",
        "scope": "tag",
        "tag": "nightly",
        "failures_in_a_row": "2",
        "no_success_seconds": "26 h",
        "channels": ["night-shift"],
        "tells_recovery": "on",
        "reminder_seconds": "4 h",
    }
    assert editor.client.post(ROOT + "rules/create/", data).status_code == 302
    rule = AlertRule.all_organizations.get()
    assert (rule.no_success_seconds, rule.reminder_seconds) == (26 * 3600, 4 * 3600)
    page = text_of(editor)
    for wanted in ("Nightly", "2 runs fail in a row", "no success for 1 d 2 h", "Night shift"):
        assert wanted in page
    edit = text_of(editor, f"rules/{rule.slug}/edit/")
    assert 'value="1 d 2 h"' in edit


def test_a_form_says_what_is_wrong(organization: Organization, editor: Person) -> None:
    channel = make_channel(organization)
    data = {"name": "x", "scope": "pipeline", "channels": [channel.slug], "stale_seconds": "soon"}
    response = editor.client.post(ROOT + "rules/create/", data)
    assert response.status_code == 422
    assert "no length of time" in response.content.decode()
    response = editor.client.post(ROOT + "rules/create/", data | {"stale_seconds": "1 d"})
    assert response.status_code == 422
    assert "This field is required." in response.content.decode()
    response = editor.client.post(ROOT + "rules/create/", {**data, "scope": "organization"} | NONE)
    assert response.status_code == 422
    assert "The rule watches nothing." in response.content.decode()
    assert not AlertRule.all_organizations.exists()


def test_a_webhook_s_secret_is_shown_once(organization: Organization, editor: Person) -> None:
    data = {"name": "Hook", "url": "https://hooks.example.com/geheim42"}
    response = editor.client.post(ROOT + "channels/create/?kind=webhook", data)
    assert response.status_code == 200
    assert response.headers["Cache-Control"].startswith("max-age=0")
    secret = AlertChannel.all_organizations.get().secrets["secret"]
    assert secret in response.content.decode()
    for path in ("channels/", "channels/hook/edit/"):
        text = text_of(editor, path)
        assert secret not in text
        assert "geheim42" not in text
    assert "hooks.example.com" in text_of(editor, "channels/")
    renewed = editor.client.post(ROOT + "channels/hook/renew/").content.decode()
    assert AlertChannel.all_organizations.get().secrets["secret"] in renewed
    assert secret not in renewed


def test_send_a_test(organization: Organization, editor: Person, receiver: Receiver) -> None:
    make_channel(organization, "slack", receiver.url("/x"), name="Chat")
    page = editor.client.post(ROOT + "channels/chat/test/", follow=True).content.decode()
    assert "The test reached “Chat”." in page
    assert "Nothing is wrong" in receiver.received[0].json["attachments"][0]["text"]
    receiver.status = 404
    page = editor.client.post(ROOT + "channels/chat/test/", follow=True).content.decode()
    assert "The test did not reach “Chat”. The receiver answered 404" in page


def test_mute_and_delete(organization: Organization, stand: Connection, editor: Person) -> None:
    make_rule(organization)
    editor.client.post(ROOT + "rules/anything/mute/", {"for": "1h"})
    assert AlertRule.all_organizations.get().muted_until is not None
    assert "Muted" in text_of(editor)
    editor.client.post(ROOT + "rules/anything/unmute/")
    assert not AlertRule.all_organizations.get().is_muted
    wrong = editor.client.post(ROOT + "rules/anything/mute/", {"for": "2 weeks"})
    assert wrong.status_code == 422
    editor.client.post(ROOT + "rules/anything/delete/")
    assert not AlertRule.all_organizations.exists()
    editor.client.post(ROOT + "channels/on-call/delete/")
    assert not AlertChannel.all_organizations.exists()


@pytest.fixture
def told(organization: Organization, stand: Connection, receiver: Receiver) -> AlertDelivery:
    """A failure that the receiver refused to hear of."""
    receiver.status = 410
    make_rule(organization, make_channel(organization, "slack", receiver.url("/x"), name="Chat"))
    run_once(organization, good=False)
    sending.send_due()
    (delivery,) = deliveries()
    return delivery


def test_what_is_open_and_what_was_sent(
    told: AlertDelivery, editor: Person, receiver: Receiver
) -> None:
    page = text_of(editor)
    assert "Open now" in page
    assert "The server refused the password." in page
    assert "1 alert of the last day was not delivered." in page
    assert "need attention" in page  # the count in the menu
    assert "answered 410" in text_of(editor, "deliveries/?status=failed")
    assert "No delivery matches" in text_of(editor, "deliveries/?status=delivered")
    detail = text_of(editor, f"deliveries/{told.pk}/")
    for wanted in ("It was not delivered.", "answered 410", "Give another password.", "Run"):
        assert wanted in detail
    receiver.status = 200
    assert editor.client.post(f"{ROOT}deliveries/{told.pk}/retry/").status_code == 302
    sending.send_due()
    assert "Delivered" in text_of(editor, f"deliveries/{told.pk}/")
    assert "of the last day" not in text_of(editor)


def test_older_deliveries_are_on_the_next_page(organization: Organization, editor: Person) -> None:
    AlertDelivery.all_organizations.bulk_create(
        AlertDelivery(
            organization=organization,
            channel_name="Chat",
            channel_kind="slack",
            event="opened",
            key=f"opened:{number}",
            message={"data": {"title": f"Number {number} failed"}},
        )
        for number in range(52)
    )
    page = text_of(editor, "deliveries/")
    assert page.count("failed</a>") == 50
    (older,) = set(re.findall(r'rel="next" href="([^"]+)"', page))
    page = text_of(editor, f"deliveries/{older}")
    assert "Number 0 failed</a>" in page
    assert page.count("failed</a>") == 2
    assert 'rel="prev"' in page


def test_a_viewer_reads(told: AlertDelivery, viewer: Person) -> None:
    for path in ("", "channels/", "deliveries/", f"deliveries/{told.pk}/"):
        text = text_of(viewer, path)
        main = text[text.index("<main") : text.index("</main>")]
        assert "<form" not in main
        assert "btn-primary" not in main
        assert "data-dialog" not in main
    assert viewer.client.get(ROOT + "rules/create/").status_code == 403


def test_the_admin_shows_and_changes_nothing(
    told: AlertDelivery, owner: Person, settings: Any
) -> None:
    owner.user.is_staff = owner.user.is_superuser = True
    owner.user.save()
    root = f"/{settings.ADMIN_PATH}alerts/"
    for name in ("alertdelivery", "alertrule", "alertincident"):
        assert owner.client.get(f"{root}{name}/").status_code == 200
        assert owner.client.get(f"{root}{name}/add/").status_code == 403
    page = owner.client.get(f"{root}alertdelivery/{told.pk}/change/")
    assert page.status_code == 200
    assert "Orders failed" in page.content.decode()
    assert owner.client.post(f"{root}alertdelivery/{told.pk}/change/").status_code == 403
    assert owner.client.post(f"{root}alertdelivery/{told.pk}/delete/").status_code == 403


def test_mail_of_a_test_says_who_sent_it(organization: Organization) -> None:
    services.send_test(channel=make_channel(organization), actor=OPERATOR)
    assert "Command line sent it. Nothing is wrong." in str(mail.outbox[0].body)
