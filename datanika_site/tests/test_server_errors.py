"""What a caller is told when the server itself fails: a page, or problem details, and which of the two it is."""

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tenants import middleware
from tenants.api_base import OrganizationAPIView


@pytest.fixture
def outside() -> Client:
    return Client(raise_request_exception=False)


def _away(*_: object, **__: object) -> None:
    raise OperationalError("connection to server at 10.0.0.7 failed: password=geheim42")


def _broken(*_: object, **__: object) -> None:
    raise RuntimeError("geheim42")


@pytest.mark.parametrize(("fault", "status"), [(_away, 503), (_broken, 500)])
def test_the_api_answers_with_problem_details(
    outside: Client, monkeypatch: pytest.MonkeyPatch, fault: object, status: int
) -> None:
    monkeypatch.setattr(OrganizationAPIView, "initial", fault)
    answer = outside.get("/api/v1/organizations/acme/runs/")
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    assert "ry again" in answer.json()["remedy"]
    assert "geheim42" not in answer.content.decode()


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [(_away, 503, "Back in a moment"), (_broken, 500, "Something failed on our side")],
)
def test_a_page_says_what_is_the_matter(
    outside: Client, monkeypatch: pytest.MonkeyPatch, fault: object, status: int, words: str
) -> None:
    monkeypatch.setattr(middleware.OrganizationMiddleware, "process_view", fault)
    answer = outside.get("/accounts/login/")
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert "geheim42" not in answer.content.decode()


def test_a_load_balancer_is_told_that_the_database_is_away(
    outside: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "cursor", _away)
    answer = outside.get("/healthz/")
    assert (answer.status_code, answer.json()) == (503, {"status": "the database does not answer"})


@pytest.mark.django_db
def test_an_address_with_a_nul_is_refused_in_words(outside: Client) -> None:
    answer = outside.get("/accounts/login/?next=%00")
    assert answer.status_code == 422
    assert "Take %00 out of it." in answer.content.decode()
