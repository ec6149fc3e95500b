"""The list of one's sessions: what it shows, what it costs, and that those that are ended are at an end."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit.actions import AuditAction
from audit.models import AuditEvent
from conftest_site import PASSWORD, Person
from tenants import sessions
from tenants.models import BrowserSession, Organization, TokenFamily, User
from tenants.user_agents import described

PAGE, ACCOUNT = "/account/sessions/", "/account/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.1 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    """Rate limits count in the cache, which outlives a test."""
    cache.clear()


def signed_in(user_agent: str = FIREFOX, email: str = "olga@example.com", **more: str) -> Client:
    client = Client(headers={"User-Agent": user_agent}, **more)  # type: ignore[arg-type]
    answer = client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def is_in(client: Client) -> bool:
    return bool(client.get(ACCOUNT).status_code == 200)


def row_of(client: Client) -> BrowserSession:
    return BrowserSession.objects.get(session_id=client.session.session_key)


def logged(organization: Organization) -> list[dict[str, Any]]:
    rows = AuditEvent.objects.for_organization(organization).order_by("pk")
    return [row.changes for row in rows.filter(action=AuditAction.SESSIONS_ENDED)]


def token(user_agent: str = "etl-job/2.1") -> dict[str, str]:
    data = {"email": "olga@example.com", "password": PASSWORD, "organization": "acme"}
    client = Client(headers={"User-Agent": user_agent})
    made = client.post("/api/v1/auth/token/", json.dumps(data), content_type="application/json")
    answer: dict[str, str] = made.json()
    return answer


def works(access: str) -> bool:
    answer = Client(headers={"Authorization": f"Bearer {access}"}).get("/api/v1/organizations/")
    return bool(answer.status_code == 200)


def test_the_list_says_where_and_ends_one(organization: Organization) -> None:
    here, there = signed_in(), signed_in(SAFARI, REMOTE_ADDR="203.0.113.7")
    page = here.get(PAGE)
    assert "no-store" in page.headers["Cache-Control"]
    text = page.content.decode()
    assert [str(row.browser) for row in page.context["browsers"]] == [
        "Firefox on Windows",
        "Safari on iPhone",
    ]
    assert "203.0.113.7" in text
    assert text.count("This one") == 1
    assert str(here.session.session_key) not in text
    assert str(there.session.session_key) not in text
    done = here.post(reverse("tenants:session-end", args=[row_of(there).pk]), follow=True)
    assert "The session is ended." in done.content.decode()
    assert (is_in(here), is_in(there)) == (True, False)
    assert logged(organization) == [{"session": ["Safari on iPhone", None]}]


def test_all_others_end_those_of_programs_too(organization: Organization, owner: Person) -> None:
    here, there = signed_in(), signed_in(SAFARI)
    program = token()
    text = here.get(PAGE).content.decode()
    assert "etl-job" in text
    assert works(program["access"])
    assert "Signed in with 2 browsers and 1 program" in " ".join(
        here.get(ACCOUNT).content.decode().split()
    )
    done = here.post(reverse("tenants:session-end-others"), follow=True)
    assert "2 other sessions are ended." in done.content.decode()
    assert (is_in(here), is_in(there), works(program["access"])) == (True, False, False)
    assert logged(organization) == [{"sessions": [2, 0]}]
    here.post(reverse("tenants:session-end-others"))
    assert len(logged(organization)) == 1, "nothing ended, nothing to tell"


def test_one_program_is_ended(organization: Organization) -> None:
    here, program, other = signed_in(), token(), token("curl/8.5.0")
    family = TokenFamily.all_organizations.get(user_agent="etl-job/2.1")
    url = reverse("tenants:api-sign-in-end", args=[family.pk])
    assert here.post(url).headers["Location"] == PAGE
    assert (works(program["access"]), works(other["access"])) == (False, True)
    assert here.post(url).status_code == 409


def test_those_of_somebody_else_are_not_there(organization: Organization, editor: Person) -> None:
    mine, theirs = signed_in(), signed_in(SAFARI, "edith@example.com")
    token()
    family = TokenFamily.all_organizations.get()
    assert "Safari" not in mine.get(PAGE).content.decode()
    assert mine.post(reverse("tenants:session-end", args=[row_of(theirs).pk])).status_code == 409
    end = reverse("tenants:api-sign-in-end", args=[family.pk])
    assert theirs.post(end).status_code == 409
    mine.post(reverse("tenants:session-end-others"))
    assert is_in(theirs)
    assert logged(organization) == [{"sessions": [1, 0]}]


def test_last_seen_is_written_every_five_minutes_at_most(organization: Organization) -> None:
    client = signed_in()
    address = reverse("tenants:organization-list")
    before = row_of(client)

    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return [one["sql"] for one in captured if "browsersession" in one["sql"]]

    assert statements() == []
    # Another process has not noted it yet: it looks, and leaves the row alone.
    client.handler.load_middleware()
    sql = statements()
    assert sql
    assert row_of(client).last_seen_at == before.last_seen_at
    assert statements() == []
    BrowserSession.objects.update(last_seen_at=timezone.now() - timedelta(minutes=6))
    client.handler.load_middleware()
    client.get(address, REMOTE_ADDR="203.0.113.9")
    after = row_of(client)
    assert after.last_seen_at > before.last_seen_at
    assert (after.ip, after.first_seen_at) == ("203.0.113.9", before.first_seen_at)


def test_an_answer_for_all_stays_one(client: Client, organization: Organization) -> None:
    """The middleware must not look into the session where the page did not."""
    visitor = signed_in()
    assert "Cookie" not in visitor.get("/healthz/").headers.get("Vary", "")
    assert Client(headers={"Cookie": "sessionid=made-up"}).get("/healthz/").status_code == 200


def test_the_row_goes_with_the_session(organization: Organization) -> None:
    client = signed_in()
    key = client.session.session_key
    client.post(reverse("account_logout"))
    assert not BrowserSession.objects.filter(session_id=key).exists()
    client = signed_in()
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    user = User.objects.get(email="olga@example.com")
    assert sessions.browser_sessions_of(user, None) == []
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    assert not BrowserSession.objects.exists()
    assert not is_in(client)


def test_a_new_password_leaves_this_session_alone_in_the_list(organization: Organization) -> None:
    here, there = signed_in(), signed_in(SAFARI)
    new = "a wholly different phrase"
    data = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post(reverse("account_change_password"), data).status_code == 302
    assert [str(row.browser) for row in here.get(PAGE).context["browsers"]] == [
        "Firefox on Windows"
    ]
    assert BrowserSession.objects.count() == 1
    assert not is_in(there)


def test_what_no_longer_signs_in_is_not_listed(organization: Organization) -> None:
    """After a password set by an operator the sessions are there until somebody uses them."""
    signed_in(SAFARI)
    user = User.objects.get(email="olga@example.com")
    user.set_password(PASSWORD)
    user.save()
    assert BrowserSession.objects.count() == 1
    assert sessions.browser_sessions_of(user, None) == []


def test_a_session_of_the_first_start_and_of_a_newcomer_is_listed(db: None) -> None:
    client = Client(headers={"User-Agent": FIREFOX})
    data = {
        "organization_name": "Acme", "name": "Olga", "email": "o@example.com", "password": PASSWORD,
    }  # fmt: skip
    assert client.post(reverse("tenants:welcome"), data).status_code == 302
    assert row_of(client).user.email == "o@example.com"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (SAFARI, "Safari on iPhone"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"
            " Safari/537.36 Edg/131.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko)"
            " SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1"
            " Safari/605.1.15",
            "Safari on macOS",
        ),
        ("python-requests/2.32.3", "python-requests"),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0", "Unknown program"),
        ("<b>/1", "Unknown program"),
        ("", "Unknown program"),
    ],
)
def test_browsers_in_words(user_agent: str, words: str) -> None:
    assert str(described(user_agent)) == words
