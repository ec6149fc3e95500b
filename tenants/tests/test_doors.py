"""Every door at which credentials are tried has a limit, and says how long to wait."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from common.access import Role
from conftest_site import PASSWORD, Person
from datanika_site import settings as real_settings
from tenants import doors, proofs, services
from tenants.models import Organization, PlatformSettings, SignUpPolicy, User
from tenants.tests.conftest import Post

DOCS = Path(__file__).resolve().parents[2] / "docs" / "accounts.md"
#: Below /accounts/ and /api/v1/auth/, and open to people who are not signed in: no credential is tried there.
NO_DOORS = {
    "account_logout": "ends a session",
    "account_inactive": "a page to read",
    "account_reset_password_done": "a page to read",
    "account_reset_password_from_key_done": "a page to read",
    "provider_login": "sends the browser to a provider",
    "google_callback": "a state that is good once, in this session",
    "github_callback": "a state that is good once, in this session",
    "openid_connect_callback": "a state that is good once, in this session",
    "socialaccount_login_cancelled": "a page to read",
    "socialaccount_login_error": "a page to read",
    "socialaccount_connections": "for the signed in, and asks for nothing",
    "api-session-list": "for the signed in",
    "api-session-detail": "for the signed in",
}


@pytest.fixture(autouse=True)
def real_rates(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = real_settings.ACCOUNT_RATE_LIMITS
    cache.clear()


def names_below(*prefixes: str) -> set[str]:
    def leaves(patterns: list[Any], before: str = "") -> list[tuple[str, URLPattern]]:
        found = []
        for pattern in patterns:
            route = before + str(pattern.pattern).lstrip("^")
            if isinstance(pattern, URLResolver):
                found += leaves(pattern.url_patterns, route)
            else:
                found.append((route, pattern))
        return found

    routes = leaves(get_resolver().url_patterns)
    return {str(p.name) for route, p in routes if route.startswith(prefixes)}


def test_every_page_of_the_ways_in_is_a_door_or_is_known_to_be_none() -> None:
    known = {route for door in doors.DOORS for route in door.routes}
    found = names_below("accounts/", "api/v1/auth/", "invitations/")
    assert found - known - set(NO_DOORS) == set(), "new: a door, or none?"
    assert known <= found, "gone"
    assert not known & set(NO_DOORS)


def test_every_door_has_rates_and_a_row_in_the_documentation() -> None:
    text = DOCS.read_text(encoding="utf-8")
    used: set[str] = set()
    for door in doors.DOORS:
        rates = [str(real_settings.ACCOUNT_RATE_LIMITS[action]) for action in door.actions]
        assert all(rates), door.label
        words = "; ".join(rate.replace(",", ", ") for rate in rates)
        assert f"| {door.label} | {words} |" in text
        used.update(door.actions)
    assert used == set(real_settings.ACCOUNT_RATE_LIMITS), "a rate that no door has"


def too_many_at(knock: Callable[[], Any], most: int) -> int:
    """How often the door opened before it answered 429, with a page of ours that says how long."""
    for number in range(most + 1):
        answer = knock()
        if answer.status_code == 429:
            seconds = int(answer["Retry-After"])
            assert 0 < seconds <= 3600
            if "text/html" in answer["Content-Type"]:
                page = answer.content.decode()
                assert re.search(r"[Ww]ait (\d+ (second|minute)s?|five minutes)", page), page
                assert "<title>" in page
            return number
    raise AssertionError(f"open after {most} attempts")


def post_to(path: str, data: dict[str, str]) -> Any:
    return Client().post(path, data)


def tokens_with(organization: Organization, email: str) -> Callable[[], Any]:
    data = {"email": email, "password": "wrong", "organization": organization.slug}
    return lambda: Client().post("/api/v1/auth/token/", data, content_type="application/json")


def test_attempts_at_the_page_and_at_the_api_count_together(organization: Organization) -> None:
    for email in ("olga@example.com", "nobody@example.com"):
        cache.clear()
        data = {"login": email.upper(), "password": "wrong"}
        page = partial(post_to, "/accounts/login/", data)
        assert [page().status_code for _ in range(3)] == [422] * 3
        assert too_many_at(tokens_with(organization, email), 3) == 2
        assert too_many_at(page, 1) == 0


def test_another_name_of_the_host_gives_no_further_attempts(organization: Organization) -> None:
    data = {"login": "olga@example.com", "password": "wrong"}
    answers = [
        Client().post("/accounts/login/", data, HTTP_HOST=host).status_code
        for host in ("testserver", "localhost", "127.0.0.1")
        for _ in range(2)
    ]
    assert answers == [422] * 5 + [429]


def test_sign_up(owner: Person, post: Post) -> None:
    PlatformSettings.objects.update_or_create(
        pk=1, defaults={"sign_up_policy": SignUpPolicy.OPEN, "sign_up_domains": []}
    )
    for email in ("olga@example.com", "vera@example.com"):
        data = {"name": "V", "email": email, "password": PASSWORD}
        assert too_many_at(partial(post_to, "/accounts/signup/", data), 9) == 5
        assert len(post.deliver()) == 5
    # One machine that goes through addresses.
    cache.clear()
    numbers = iter(range(100))
    form = {"name": "V", "password": PASSWORD}
    guess = lambda: Client().post("/accounts/signup/", {**form, "email": f"v{next(numbers)}@x.org"})  # noqa: E731
    assert too_many_at(guess, 30) == 20


def test_another_confirmation_mail(owner: Person, client: Client, post: Post) -> None:
    PlatformSettings.objects.update_or_create(
        pk=1, defaults={"sign_up_policy": SignUpPolicy.OPEN, "sign_up_domains": []}
    )
    client.post("/accounts/signup/", {"name": "V", "email": "vera@x.org", "password": PASSWORD})
    post.asked.clear()
    assert too_many_at(lambda: client.post("/accounts/verify/sent/"), 3) == 1
    # At the sign-in page it is not said: the mail before is on its way, and works.
    data = {"login": "vera@x.org", "password": PASSWORD}
    assert client.post("/accounts/login/", data).headers["Location"] == "/accounts/verify/sent/"
    assert len(post.asked) == 1
    assert too_many_at(lambda: owner.client.post("/accounts/verify/again/"), 3) == 1


def test_a_link_that_confirms(owner: Person, client: Client) -> None:
    user = User.objects.create_user("vera@x.org", PASSWORD)
    path = f"/accounts/verify/{proofs.verification_token(user)}/"

    def wrong() -> Any:
        return client.post(path, {"password": "wrong"})

    assert too_many_at(wrong, 9) == 5
    data = {"login": "vera@x.org", "password": PASSWORD}
    assert Client().post("/accounts/login/", data).status_code == 429, "they count together"
    cache.clear()
    assert too_many_at(lambda: owner.client.get("/accounts/email/made-up/"), 30) == 20


def test_a_forgotten_password(owner: Person, post: Post) -> None:
    for email in ("olga@example.com", "nobody@example.com"):
        data = {"email": email}
        assert too_many_at(partial(post_to, "/accounts/password/reset/", data), 9) == 5


def test_the_key_of_a_reset(owner: Person) -> None:
    numbers = iter(range(100))
    guess = lambda: Client().get(f"/accounts/password/reset/key/1-abc-{next(numbers)}/")  # noqa: E731
    assert too_many_at(guess, 40) == 20
    assert Client().get("/accounts/password/reset/key/2-abc-1/").status_code == 200


def test_an_invitation(organization: Organization, owner: Person) -> None:
    _invitation, token = services.invite(
        organization=organization, email="ina@x.org", role=Role.VIEWER, actor=owner.actor
    )
    path = reverse("tenants:invitation-accept", args=[token])
    weak = lambda: Client().post(path, {"name": "Ina", "password": "weak"})  # noqa: E731
    assert too_many_at(weak, 40) == 20
    numbers = iter(range(100))
    guess = lambda: Client().get(f"/invitations/made-up-{next(numbers)}/")  # noqa: E731
    # Of thirty in a minute from here, the twenty above and the one that was refused count.
    assert too_many_at(guess, 40) == 9


def test_the_signed_in_are_asked_for_their_password_only_so_often(
    organization: Organization, owner: Person, post: Post
) -> None:
    wrong = {"oldpassword": "wrong", "password1": "a b c d e f g h", "password2": "a b c d e f g h"}
    address = {"email": "new@x.org", "password": "wrong"}
    for path, data in (
        ("/accounts/password/change/", wrong),
        ("/accounts/email/", address),
        ("/accounts/reauthenticate/", {"password": "wrong"}),
    ):
        cache.clear()
        assert too_many_at(partial(owner.client.post, path, data), 9) == 5, path
        # Somebody at an open session learns the password no faster than at the sign-in page.
        assert too_many_at(tokens_with(organization, "olga@example.com"), 1) == 0, path


def test_wrong_api_keys_and_tokens(organization: Organization, owner: Person) -> None:
    path = f"/api/v1/organizations/{organization.slug}/members/"
    numbers = iter(range(100))

    def guess(text: str) -> Any:
        return Client().get(path, headers={"authorization": f"Bearer {text}{next(numbers)}"})

    assert too_many_at(lambda: guess("eyJhbGciOi."), 20 + 60) == 60
    assert too_many_at(lambda: guess("etf_"), 1) == 0
    # Nobody guesses 32 random bytes, so the right one is not kept out by its neighbours' noise.
    _key, text = services.issue_api_key(
        organization=organization, name="CI", role=Role.VIEWER, actor=owner.actor
    )
    right = Client().get(path, headers={"authorization": f"Bearer {text}"})
    assert right.status_code == 200


def test_the_wait_is_told_in_words_and_never_too_short(rf: RequestFactory) -> None:
    assert doors.in_words(1) == "1 second"
    assert doors.in_words(90) == "90 seconds"
    assert doors.in_words(91) == "2 minutes"
    assert doors.in_words(3600) == "60 minutes"


def test_the_door_opens_again(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    request, now = rf.post("/"), [1_000_000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    waits = []
    for _ in range(7):
        waits.append(doors.knock(request, "signup", key="v@x.org"))
        now[0] += 10
    assert waits == [0, 0, 0, 0, 0, 3550, 3540]
    now[0] += 3530
    assert doors.knock(request, "signup", key="V@X.org") == 0
