"""No address of ours sends anybody to an address of somebody else, whatever it is asked to do afterwards."""

from urllib.parse import quote, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client

from conftest_site import PASSWORD
from datanika_site.tests.isolation.asking import Answer, ask, noticing
from datanika_site.tests.isolation.routes import doors
from datanika_site.tests.isolation.world import World

# The database is set up for tests that say so; the world is in it already.
pytestmark = pytest.mark.django_db

HOSTILE = (
    "//evil.example/", "https://evil.example/", "https:evil.example", "http:///evil.example",
    "\\\\evil.example", "/\\evil.example", "\\/evil.example", "javascript:alert(1)",
    "data:text/html,x", "/%0d%0aSet-Cookie:a=b", "/\r\nLocation: https://evil.example", "\t//evil.example",
    "https://testserver@evil.example/", "https://testserver.evil.example/", "////evil.example",
)  # fmt: skip
#: What a parameter that says where to go may be called, beside what the views are seen to look for.
NAMES = ("next", "redirect_to", "return_to", "back", "url", "continue", "referer")


def _leads_away(target: str) -> bool:
    """As a browser reads it: backslashes are slashes, and blanks before it are nothing."""
    read = target.strip().replace("\\", "/").replace("\t", "")
    parts = urlsplit(read)
    if "\r" in target or "\n" in target:
        return True
    return parts.netloc != "testserver" if parts.netloc else bool(parts.scheme)


def _wrong(where: str, answer: Answer) -> list[str]:
    wrong = [f"{where} leads to {answer.target}"] if _leads_away(answer.target) else []
    if answer.status >= 500:
        wrong.append(f"{where} answers {answer.status}")
    return wrong


def test_the_judge_knows_what_leads_away() -> None:
    away = [value for value in HOSTILE if _leads_away(value)]
    assert len(away) >= 10
    assert not _leads_away("/o/acme/?next=https://evil.example")


@pytest.mark.parametrize(
    "everything", [False, pytest.param(True, marks=pytest.mark.chaos)], ids=["some", "everything"]
)
def test_no_parameter_leads_away(world: World, everything: bool) -> None:
    """Every route outside of organizations, signed in and not, by GET and by POST, in query and form."""
    wrong, asked, looked_for = [], 0, 0
    people = {"somebody": world.elsewhere.owner.client, "nobody": Client()}
    for door in doors():
        signs_in = door.name in ("admin:login", "admin:logout")
        if door.is_page or door.is_api or (door.is_admin and not signs_in):
            continue
        url = door.outside_url({"str": "x", "slug": "x", "int": "1", "path": "x"})
        for who, client in people.items():
            for method in ("GET", "POST"):
                with noticing() as names:
                    first = ask(client, method, url)
                if first.status in (404, 405):
                    continue
                wanted = sorted(names & set(NAMES)) or ["next"]
                looked_for += bool(names & set(NAMES))
                values = HOSTILE if everything else HOSTILE[asked % 4 :: 4]
                for value in values if names & set(NAMES) else values[:1]:
                    asked += 1
                    data = dict.fromkeys(wanted, value)
                    query = "&".join(f"{name}={quote(value)}" for name in wanted)
                    full = f"{url}?{query}"
                    headers = {"referer": value.replace("\r", "").replace("\n", "")}
                    body = None if method == "GET" or url.startswith("/api/") else data
                    answer = ask(client, method, full, body, headers=headers)
                    wrong += _wrong(f"{method} {full} as {who}", answer)
    assert not wrong, "\n".join(wrong)
    assert looked_for >= 3
    assert asked > (200 if everything else 40)


@pytest.mark.parametrize("value", HOSTILE)
def test_signing_in_and_out_stays_here(world: World, value: str) -> None:
    """The two that do redirect: after the right password, and after signing out."""
    data = {"login": world.elsewhere.owner.user.email, "password": PASSWORD}
    cache.clear()
    for body in (data | {"next": value}, data):
        answer = ask(Client(), "POST", f"/accounts/login/?next={quote(value)}", body)
        assert answer.status == 302
        assert not _leads_away(answer.target), answer.target
    client = Client()
    client.force_login(world.elsewhere.owner.user, backend=None)
    answer = ask(client, "POST", f"/accounts/logout/?next={quote(value)}", {"next": value})
    assert answer.status == 302
    assert not _leads_away(answer.target), answer.target


def test_htmx_is_led_nowhere_else_either(world: World) -> None:
    """A page asked by htmx with a hostile address of its own is not answered with that address."""
    home = f"/o/{world.elsewhere.organization.slug}/"
    for value in HOSTILE[:6]:
        headers = {"hx-request": "true", "hx-current-url": value, "referer": value}
        for path in ("runs/", "pipelines/", "connections/"):
            answer = ask(world.elsewhere.owner.client, "GET", home + path, headers=headers)
            assert not _leads_away(answer.target)
            assert "evil.example" not in answer.body
