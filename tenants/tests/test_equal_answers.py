"""Known and unknown addresses cost the same: as many hashes of a password, and no mail within the request.

Hashes are counted rather than timed: they are a quarter of a second each, and all that one would notice.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.test import Client

from conftest_site import PASSWORD, Person
from tenants.models import Organization, PlatformSettings, SignUpPolicy, User
from tenants.tests.conftest import Post

KNOWN, UNKNOWN = "olga@example.com", "nobody@example.com"


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time a password is hashed."""
    counted: list[str] = []
    encode = MD5PasswordHasher.encode

    def counting(self: Any, password: str, salt: str) -> str:
        counted.append(password)
        return str(encode(self, password, salt))

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    return counted


@pytest.fixture
def people(organization: Organization, stranger: Person) -> dict[str, str]:
    """An address of each kind."""
    PlatformSettings.objects.update_or_create(
        pk=1, defaults={"sign_up_policy": SignUpPolicy.OPEN, "sign_up_domains": []}
    )
    User.objects.create_user("off@example.com", PASSWORD, is_active=False)
    User.objects.create_user("provider@example.com", None)
    return {
        "known": KNOWN,
        "of another organization": "sam@example.com",
        "switched off": "off@example.com",
        "without password": "provider@example.com",
        "unknown": UNKNOWN,
    }


def sign_in(email: str, organization: Organization) -> Any:
    return Client().post("/accounts/login/", {"login": email, "password": "wrong password"})


def token(email: str, organization: Organization) -> Any:
    data = {"email": email, "password": "wrong password", "organization": organization.slug}
    return Client().post("/api/v1/auth/token/", data, content_type="application/json")


def sign_up(email: str, organization: Organization) -> Any:
    data = {"name": "Vera", "email": email, "password": "correct horse battery"}
    return Client().post("/accounts/signup/", data)


def reset(email: str, organization: Organization) -> Any:
    return Client().post("/accounts/password/reset/", {"email": email})


DOORS: dict[Callable[[str, Organization], Any], int] = {sign_in: 1, token: 1, sign_up: 1, reset: 0}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_address_costs_the_same(
    door: Callable[[str, Organization], Any],
    people: dict[str, str],
    organization: Organization,
    hashes: list[str],
    post: Post,
) -> None:
    costs, answers, asked = {}, set(), set()
    for kind, email in people.items():
        hashes.clear()
        post.asked.clear()
        answer = door(email, organization)
        costs[kind] = len(hashes)
        location = answer.headers.get("Location", "")
        answers.add((answer.status_code, location, answer.headers.get("Content-Type")))
        asked.add(tuple(kind for kind, *_ in post.asked))
        assert mail.outbox == [], "mail is written by a worker"
    assert set(costs.values()) == {DOORS[door]}, costs
    assert len(answers) == 1, answers
    assert len(asked) == 1, "the same is asked of the worker"


def test_hole_13_a_sign_in_is_limited_has_rules_and_tells_nobody_who_has_an_account(
    people: dict[str, str], organization: Organization, hashes: list[str], post: Post
) -> None:
    texts = set()
    for email in (KNOWN, UNKNOWN):
        page = sign_in(email, organization)
        texts.add(page.content.decode().replace(email, "").split("csrfmiddlewaretoken")[0])
    assert len(hashes) == 2, "a hash for the unknown as well"
    assert len(texts) == 1
    assert [sign_in(KNOWN, organization).status_code for _ in range(5)][-1] == 429
    weak = Client().post(
        "/accounts/signup/", {"name": "V", "email": "v@example.com", "password": "password"}
    )
    assert "too short" in weak.content.decode()
    # More than the 72 bytes that bcrypt alone reads.
    long = Client().post(
        "/accounts/signup/", {"name": "V", "email": "v@example.com", "password": "ab c" * 100}
    )
    assert long.status_code == 302


def test_a_broker_that_is_away_changes_no_answer(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def dead(*_: Any, **__: Any) -> None:
        raise OSError("away")

    monkeypatch.setattr("tenants.tasks.write_mail.apply_async", dead)
    monkeypatch.setattr("allauth.core.internal.ratelimit.get_rates", lambda **_: [])
    for email in (KNOWN, UNKNOWN):
        assert reset(email, organization).status_code == 302
    assert KNOWN not in caplog.text
    assert caplog.text.count("did not take a mail") == 2
