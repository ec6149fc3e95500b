"""Settings of the platform that others feel: mail, banner, uploads, types of connection; each without a restart."""

import io
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.mail import EmailMessage, get_connection
from django.db import connection
from django.urls import reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.errors import UserError
from conftest_site import Person
from connections import restrictions
from connections import services as connections
from connections.errors import ConnectorNotOffered, FileRefused
from connections.tests.helpers import make
from orchestration.tests.factories import make_pipeline, make_run
from tenants import limits, platform_mail, selectors, services
from tenants.actors import Actor
from tenants.models import Organization, PlatformSettings, User
from tenants.tests.test_platform import PAGE, form

OPERATOR = Actor.operator()
PASSWORD = "mail-canary-5d1f"
TEST_MAIL = "/admin/tenants/platformsettings/test-mail/"


class _Session(socketserver.StreamRequestHandler):
    """As much of SMTP as a client without TLS needs."""

    server: "MailServer"

    def handle(self) -> None:
        self._say("220 here")
        lines: list[str] | None = None
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if lines is not None:
                if line == ".":
                    self.server.mails.append("\n".join(lines))
                    lines = None
                    self._say("250 taken")
                else:
                    lines.append(line)
            elif line.upper() == "DATA":
                lines = []
                self._say("354 go on")
            elif line.upper() == "QUIT":
                self._say("221 bye")
                return
            elif line.upper().startswith("RCPT") and self.server.refusal:
                self._say(self.server.refusal)
            else:
                self._say("250 well")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    refusal = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def platform_backend(settings: Any) -> None:
    """As outside of tests, which collect mails instead."""
    settings.EMAIL_BACKEND = platform_mail.BACKEND
    settings.MAIL_BACKEND_OF_ENVIRONMENT = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def operator(owner: Person) -> Person:
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    return owner


def saved(port: int, **changed: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "user": "",
        "from": "Datanika <datanika@example.com>",
        **changed,
    }


def elsewhere(sql: str, *values: Any) -> None:
    """A change by another process: this one hears of it only by looking again."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


# Mail --------------------------------------------------------------------------------------------


def test_mail_goes_to_the_saved_server_and_back_to_that_of_the_environment(
    db: None, platform_backend: None, server: MailServer, mailoutbox: list[EmailMessage]
) -> None:
    EmailMessage("One", "first", to=["a@example.com"]).send()
    assert [mail.subject for mail in mailoutbox] == ["One"]
    services.update_platform(actor=OPERATOR, mail=saved(server.port))
    EmailMessage("Two", "second", to=["a@example.com"], connection=get_connection(timeout=5)).send()
    EmailMessage("Three", "third", "own@example.com", to=["a@example.com"]).send()
    assert "From: Datanika <datanika@example.com>" in server.mails[0]
    assert "From: own@example.com" in server.mails[1]
    services.update_platform(actor=OPERATOR, mail=None)
    EmailMessage("Four", "fourth", to=["a@example.com"]).send()
    assert [mail.subject for mail in mailoutbox] == ["One", "Four"]


def test_whether_mail_leaves_follows_the_saved_server(
    db: None, settings: Any, platform_backend: None
) -> None:
    settings.MAIL_BACKEND_OF_ENVIRONMENT = "django.core.mail.backends.console.EmailBackend"
    assert not platform_mail.can_send()
    with pytest.raises(UserError, match="sends no mail"):
        services.send_test_mail(actor=OPERATOR, address="a@example.com")
    services.update_platform(actor=OPERATOR, mail=saved(25))
    assert platform_mail.can_send()


def test_a_password_is_stored_encrypted_and_stays_with_its_server(db: None) -> None:
    mail = saved(587, host="mail.example.com", security="starttls", user="u")
    services.update_platform(actor=OPERATOR, mail=mail, mail_password=PASSWORD)
    found = platform_mail.server_in_force()
    assert found is not None
    assert (found.password, found.user) == (PASSWORD, "u")
    event = AuditEvent.all_organizations.get(action=AuditAction.PLATFORM_UPDATED)
    assert event.changes["mail"] == [None, mail]
    assert PASSWORD not in str(event.changes)
    services.update_platform(actor=OPERATOR, mail={**mail, "from": "b@example.com"})
    assert services.has_mail_password()
    for name, value in (("host", "evil.example.com"), ("port", 2525), ("user", "other")):
        with pytest.raises(UserError, match="entered again"):
            services.update_platform(actor=OPERATOR, mail={**mail, name: value})
    services.update_platform(actor=OPERATOR, mail=None)
    assert not services.has_mail_password()


def test_an_unreadable_password_stops_mail_alone(
    db: None, platform_backend: None, server: MailServer
) -> None:
    services.update_platform(actor=OPERATOR, mail=saved(server.port))
    elsewhere("UPDATE tenants_platformsettings SET mail_secrets = %s", "nonsense")
    assert selectors.platform_settings().mail
    with pytest.raises(Exception, match="cannot be decrypted"):
        EmailMessage("One", "first", to=["a@example.com"]).send()
    mail = saved(server.port, security="starttls", user="u")
    services.update_platform(actor=OPERATOR, mail=mail, mail_password=PASSWORD)
    assert platform_mail.server_in_force() is not None


def test_the_page_keeps_the_password_and_sends_a_test(
    operator: Person, platform_backend: None, server: MailServer
) -> None:
    client = operator.client
    mail = {
        "mail_host": "127.0.0.1", "mail_port": server.port, "mail_security": "tls",
        "mail_user": "u", "mail_from": "d@example.com",
    }  # fmt: skip
    refused = client.post(PAGE, form(**mail)).content.decode()
    assert "The mail server needs a password" in refused
    assert client.post(PAGE, form(**mail, mail_password=PASSWORD)).status_code == 302
    shown = client.get(PAGE).content.decode()
    assert "One is stored; empty keeps it." in shown
    assert f"In force: 127.0.0.1, port {server.port} (saved here)." in shown
    assert PASSWORD not in shown
    token = PlatformSettings.objects.extra(select={"t": "mail_secrets"}).values_list("t")[0][0]
    assert token not in shown
    assert client.post(PAGE, form(**mail)).status_code == 302
    assert services.has_mail_password()
    # The server speaks no TLS.
    failed = client.post(TEST_MAIL, {"address": "a@example.com"}).content.decode()
    assert "The mail server cannot be used" in failed
    assert PASSWORD not in failed
    plain = form(**{**mail, "mail_security": "none", "mail_user": ""})
    assert client.post(PAGE, plain).status_code == 302
    assert not services.has_mail_password()
    sent = client.post(TEST_MAIL, {"address": "a@example.com"}, follow=True).content.decode()
    assert "A test mail went to a@example.com." in sent
    assert "To: a@example.com" in server.mails[0]
    server.refusal = f"550 no such user, said {PASSWORD}"
    assert (
        "refused the address (550)"
        in client.post(TEST_MAIL, {"address": "a@example.com"}).content.decode()
    )


def test_only_operators_send_tests(owner: Person) -> None:
    assert owner.client.get(TEST_MAIL).status_code == 302
    User.objects.filter(pk=owner.user.pk).update(is_staff=True)
    assert owner.client.get(TEST_MAIL).status_code == 403


# Types of connection -----------------------------------------------------------------------------


def test_a_type_that_is_switched_off_is_not_offered_and_does_not_run(
    organization: Organization, owner: Person
) -> None:
    shop = make(organization, owner, "Shop")
    services.update_platform(actor=OPERATOR, allowed_connectors=["duckdb", "csv"])
    base = f"/o/{organization.slug}/connections/"
    gallery = owner.client.get(f"{base}new/").content.decode()
    assert "PostgreSQL" not in gallery
    assert "DuckDB" in gallery
    answer = owner.client.get(f"{base}new/postgres/")
    assert answer.status_code == 422
    assert "switched off on this installation" in answer.content.decode()
    listed = owner.client.get(f"/api/v1/organizations/{organization.slug}/connectors/").json()
    assert {one["key"] for one in listed} == {"duckdb", "csv"}
    with pytest.raises(ConnectorNotOffered):
        make(organization, owner, "Another")
    with pytest.raises(ConnectorNotOffered):
        connections.duplicate_connection(connection=shop, actor=owner.actor)
    with pytest.raises(ConnectorNotOffered, match="ask the operator"):
        connections.check_connection(connection=shop, actor=owner.actor)
    assert owner.client.get(f"{base}{shop.slug}/").status_code == 200
    services.update_platform(actor=OPERATOR, allowed_connectors=None)
    assert "PostgreSQL" in owner.client.get(f"{base}new/").content.decode()


def test_a_run_of_a_type_that_is_switched_off_says_so(organization: Organization) -> None:
    from orchestration.engine import executor
    from orchestration.models import RunStep
    from orchestration.tests.factories import make_connection

    make_pipeline(organization, "Orders", make_connection(organization))
    run = make_run(organization, "pipeline:orders")
    services.update_platform(actor=OPERATOR, allowed_connectors=["csv"])
    step = RunStep.all_organizations.get(run=run)
    executor.execute(step.pk)
    step.refresh_from_db()
    assert (step.status, step.error_code) == ("failed", "connector_not_offered")
    assert "are switched off on this installation" in step.error


def test_the_page_offers_every_type_until_some_are_taken_away(operator: Person) -> None:
    shown = operator.client.get(PAGE).content.decode()
    assert "In force: all of them (default)." in shown
    assert operator.client.post(PAGE, form(allowed_connectors=["duckdb"])).status_code == 302
    assert PlatformSettings.objects.get().allowed_connectors == ["duckdb"]
    assert "In force: DuckDB (saved here)." in operator.client.get(PAGE).content.decode()
    operator.client.post(PAGE, form())
    assert PlatformSettings.objects.get().allowed_connectors is None


# Uploads, banner, sign-up ------------------------------------------------------------------------


def test_a_file_is_as_large_as_operators_say(organization: Organization, owner: Person) -> None:
    services.update_platform(actor=OPERATOR, max_upload_mb=1)
    content = io.BytesIO(b"x")
    with pytest.raises(FileRefused, match="larger than 1 MB"):
        connections.store_upload(
            organization=organization,
            actor=owner.actor,
            name="a.csv",
            content=content,
            size=1024 * 1024 + 1,
        )
    page = owner.client.get(f"/o/{organization.slug}/connections/files/").content.decode()
    assert "1 MB" in page


def test_the_banner_is_on_every_page_and_is_text(
    organization: Organization, owner: Person, client: Any
) -> None:
    services.update_platform(actor=OPERATOR, banner="Maintenance <b>at noon</b>")
    pages = [owner.client.get(f"/o/{organization.slug}/"), client.get(reverse("account_login"))]
    for page in pages:
        assert "Maintenance &lt;b&gt;at noon&lt;/b&gt;" in page.content.decode()


def test_the_page_sets_who_may_come(operator: Person) -> None:
    sent = form(sign_up_policy="domains", sign_up_domains="@Example.com\nother.example")
    assert operator.client.post(PAGE, sent).status_code == 302
    row = PlatformSettings.objects.get()
    assert (row.sign_up_policy, row.sign_up_domains) == (
        "domains",
        ["example.com", "other.example"],
    )
    refused = operator.client.post(PAGE, form(sign_up_policy="domains")).content.decode()
    assert "Without a domain nobody could come this way." in refused


# Without a restart -------------------------------------------------------------------------------


def test_what_another_process_saved_is_in_force_here_within_seconds(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.update_platform(actor=OPERATOR, banner="old")
    settings.PLATFORM_SETTINGS_SECONDS = 3.0
    now = [1000.0]
    monkeypatch.setattr("tenants.selectors.time.monotonic", lambda: now[0])
    selectors.forget_platform_settings()
    assert selectors.platform_settings().banner == "old"
    elsewhere(
        "UPDATE tenants_platformsettings SET banner = 'new', max_upload_mb = 7,"
        " egress_policy = 'public-only', allowed_connectors = %s",
        '["csv"]',
    )
    now[0] += 2.9
    assert selectors.platform_settings().banner == "old"
    now[0] += 0.2
    assert selectors.platform_settings().banner == "new"
    assert restrictions.max_upload_mb() == 7
    assert restrictions.egress() == "public-only"
    assert not restrictions.is_offered("postgres")
    selectors.forget_platform_settings()


def test_every_setting_is_on_the_page_and_says_what_is_in_force(operator: Person) -> None:
    shown = operator.client.get(PAGE).content.decode()
    own = {"updated_at", "id", "mail", "mail_secrets", *NOT_YET}
    columns = {field.name for field in PlatformSettings._meta.concrete_fields} - own
    assert columns == set(limits.PLATFORM_NAMES) - {"mail"}
    for name in columns:
        assert f'name="{name}"' in shown, name
        assert limits.origin(PlatformSettings(), name).startswith("In force: "), name
    assert shown.count("In force: ") == len(limits.PLATFORM_NAMES)


#: Nothing reads them until projects of dbt can be imported: Python models and packages are refused altogether.
NOT_YET = ("are_python_models_allowed", "allowed_dbt_packages")
