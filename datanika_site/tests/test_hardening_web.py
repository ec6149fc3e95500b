"""Headers, cookies, tokens, limits and host names: what every answer and every request has to keep to."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver

from common.api import PROBLEM
from conftest_site import Person
from datanika_site.tests.isolation.routes import doors
from orchestration.tests.factories import make_connection, make_pipeline, make_run
from tenants.models import Organization

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
    "manifest-src 'self'",
}
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture
def outside() -> Client:
    return Client(raise_request_exception=False)


def _headers_missing(response: Any) -> list[str]:
    policy = set(response.headers.get("Content-Security-Policy", "").split("; "))
    wrong = [] if policy == POLICY else [f"the policy is {sorted(policy)}"]
    wrong += [name for name, value in ALWAYS.items() if response.headers.get(name) != value]
    if "camera=()" not in response.headers.get("Permissions-Policy", ""):
        wrong.append("Permissions-Policy")
    if "Cache-Control" not in response.headers:
        wrong.append("Cache-Control")
    return wrong


# Headers ----------------------------------------------------------------------------------------


def test_every_kind_of_answer_has_the_headers(
    organization: Organization, owner: Person, outside: Client, run_number: int
) -> None:
    home, api = f"/o/{organization.slug}", f"/api/v1/organizations/{organization.slug}"
    style = settings.STATIC_ROOT / "hardening.css"
    style.write_text("a{}")
    owner.client.raise_request_exception = False
    cases = {
        "a page": (owner.client.get(f"{home}/"), 200),
        "a redirect": (outside.get(f"{home}/"), 302),
        "a missing page": (owner.client.get("/nowhere/"), 404),
        "a refused form": (owner.client.post(f"{home}/settings/", {"name": ""}), 422),
        "a download": (owner.client.get(f"{home}/runs/{run_number}/log.txt"), 200),
        "an export": (owner.client.get(f"{home}/audit/export/"), 200),
        "the API": (owner.client.get(f"{api}/runs/"), 200),
        "an error of the API": (outside.get(f"{api}/runs/"), 401),
        "the schema": (outside.get("/api/v1/schema/"), 200),
        "the admin": (outside.get(f"/{settings.ADMIN_PATH}"), 302),
        "a wrong host": (outside.get("/", headers={"host": "evil.example"}), 400),
        "a missing token": (
            Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "x"}),
            403,
        ),
        "a large body": (outside.post("/accounts/login/", {"login": "x" * 6_000_000}), 413),
        "a static file": (Client().get("/static/hardening.css"), 200),
        "health": (outside.get("/healthz/"), 200),
    }
    style.unlink()
    wrong = {}
    for name, (response, status) in cases.items():
        missing = _headers_missing(response)
        if missing or response.status_code != status:
            wrong[name] = (response.status_code, missing)
    assert wrong == {}


@pytest.fixture
def run_number(organization: Organization) -> int:
    make_pipeline(organization, "Orders", make_connection(organization))
    return make_run(organization).number


def test_what_failed_has_the_headers_too(
    outside: Client, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", broken)
        response = outside.get("/healthz/")
    assert response.status_code == 500
    assert _headers_missing(response) == []


def test_downloads_are_attachments(
    organization: Organization, owner: Person, run_number: int
) -> None:
    """Nothing that people or databases wrote is shown by the browser as a page of ours."""
    home = f"/o/{organization.slug}"
    for url in (f"{home}/runs/{run_number}/log.txt", f"{home}/audit/export/"):
        response = owner.client.get(url)
        assert response.headers["Content-Disposition"].startswith("attachment; "), url
        assert "html" not in response.headers["Content-Type"], url


# Tokens of forms --------------------------------------------------------------------------------


def test_every_form_needs_its_token(organization: Organization, owner: Person) -> None:
    """Every URL that is not of the API refuses a POST without the token, before any view is asked."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    wrong = []
    for door in doors():
        if door.route.startswith("api/"):
            continue
        if getattr(door.view, "csrf_exempt", False):
            wrong.append(f"{door.route} is exempt")
        url = "/" + door.route.replace("<slug:organization>", organization.slug)
        if "<" in url or "(" in url:
            continue
        response = client.post(url)
        if response.status_code != 403 or b"too old" not in response.content:
            wrong.append(f"{url} answers {response.status_code}")
    assert wrong == []


def test_the_api_needs_the_token_of_who_comes_with_a_cookie(
    organization: Organization, owner: Person
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    url = f"/api/v1/organizations/{organization.slug}/leave/"
    response = client.post(url, content_type="application/json")
    assert response.status_code == 403
    assert "CSRF" in response.json()["title"]


def test_only_views_of_the_api_are_exempt() -> None:
    def leaves(patterns: list[Any]) -> Iterator[URLPattern]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from leaves(pattern.url_patterns)
            else:
                yield pattern

    exempt = [
        p for p in leaves(get_resolver().url_patterns) if getattr(p.callback, "csrf_exempt", 0)
    ]
    assert exempt
    assert all(hasattr(pattern.callback, "cls") for pattern in exempt)


# Host names, and the settings people deploy with ------------------------------------------------


def test_a_foreign_host_name_is_refused_without_repeating_it(outside: Client, db: None) -> None:
    for path in ("/", "/accounts/password/reset/", "/api/v1/organizations/"):
        response = outside.get(path, headers={"host": "evil.example"})
        assert response.status_code == 400, path
        assert b"evil.example" not in response.content
    response = outside.get("/healthz/", headers={"x-forwarded-host": "evil.example"})
    assert response.status_code == 200


def _deployed(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command with what docker-compose.yml gives the application, and nothing else."""
    given = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": "postgres://datanika:x@127.0.0.1:5/datanika",
        "CELERY_BROKER_URL": "redis://:x@127.0.0.1:6/0",
        "DATANIKA_SECRET_KEY": secrets.token_urlsafe(48),
        "DATANIKA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATANIKA_ALLOWED_HOSTS": "data.example.com",
        "DATANIKA_BASE_URL": "https://data.example.com",
        "DATANIKA_DATA_DIR": str(settings.DATA_DIR),
        **more,
    }
    return subprocess.run(
        [sys.executable, *command], cwd=settings.BASE_DIR, env=given, capture_output=True, text=True
    )


def test_the_distributed_configuration_has_no_warning() -> None:
    """``check --deploy``: two are silenced, both about domains that are not ours (settings.py says why)."""
    found = _deployed("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "2 silenced" in found.stdout + found.stderr
    assert settings.SILENCED_SYSTEM_CHECKS == ["security.W005", "security.W021"]


def test_cookies_and_transport_behind_tls() -> None:
    names = (
        "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS", "DEBUG", "USE_X_FORWARDED_HOST", "SESSION_COOKIE_SAMESITE",
    )  # fmt: skip
    script = (
        "import json, django; from django.conf import settings;"
        f"print(json.dumps({{n: getattr(settings, n) for n in {names!r}}}))"
    )
    module = {"DJANGO_SETTINGS_MODULE": "datanika_site.settings"}
    found = _deployed("-c", script, **module)
    assert json.loads(found.stdout) == {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "DEBUG": False,
        "USE_X_FORWARDED_HOST": False,
        "SESSION_COOKIE_SAMESITE": "Lax",
    }


def test_without_tls_a_request_is_sent_to_it(client: Client, db: None) -> None:
    """But health checks, which come from inside."""
    secure: dict[str, Any] = {
        "SECURE_SSL_REDIRECT": True,
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "SECURE_HSTS_SECONDS": 31_536_000,
    }
    with override_settings(**secure):
        plain = Client()
        assert plain.get("/accounts/login/").headers["Location"].startswith("https://")
        assert plain.get("/healthz/").status_code == 200
        answer = Client(headers={"x-forwarded-proto": "https"}).get("/accounts/password/reset/")
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("kind", ["text/plain; charset=hex", "text/plain; charset=utf-16"])
def test_the_charset_of_a_request_changes_nothing(outside: Client, kind: str, db: None) -> None:
    answer = outside.generic("GET", "/accounts/login/?next=%2F", content_type=kind)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/nowhere/", 404, "not_found"),
        ("/api/v1/organizations/%00/runs/", 422, "invalid"),
        ("/api/v1/organizations/acme/runs/?q=%00", 422, "invalid"),
    ],
)
def test_the_api_refuses_in_json_before_a_view_is_found(
    outside: Client, path: str, status: int, code: str, db: None
) -> None:
    answer = outside.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert answer.json()["code"] == code
    assert answer.json()["remedy"]


def test_a_nul_in_the_path_of_a_page_is_refused(outside: Client, db: None) -> None:
    answer = outside.get("/o/%00/")
    assert answer.status_code == 422
    assert "Take %00 out of it." in answer.content.decode()
