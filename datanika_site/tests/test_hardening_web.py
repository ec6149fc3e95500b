"""Headers, cookies, tokens, limits and host names: what every answer and every request has to keep to."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.asgi import ASGIHandler
from django.db import connection
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver

from common import bodies
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


# How much ---------------------------------------------------------------------------------------


def test_a_body_is_refused_before_it_is_read(
    organization: Organization, owner: Person, outside: Client
) -> None:
    class Unread:
        def read(self, *_: Any) -> bytes:
            raise AssertionError("it was read")

        readline = read

    said = {"CONTENT_LENGTH": str(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1), "wsgi.input": Unread()}
    page = outside.generic("POST", "/accounts/login/", **said)  # type: ignore[arg-type]
    assert page.status_code == 413
    assert "more than 5 MB" in page.content.decode()
    api = f"/api/v1/organizations/{organization.slug}/runs/"
    answer = owner.client.generic("POST", api, content_type="application/json", **said)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_files_have_a_limit_of_their_own(organization: Organization, owner: Person) -> None:
    """Where files are taken more is let through, and no more than operators allow."""
    upload = f"/o/{organization.slug}/connections/files/upload/"
    assert bodies.limit_of(upload) == settings.MAX_UPLOAD_BYTES + bodies.FORM_AROUND_A_FILE
    assert bodies.limit_of(f"/o/{organization.slug}/") == settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert bodies.limit_of("/nowhere/") == settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    with override_settings(MAX_UPLOAD_BYTES=10, DATA_UPLOAD_MAX_MEMORY_SIZE=10):
        file = SimpleUploadedFile("a.csv", b"x" * 2 * 1024 * 1024)
        response = owner.client.post(upload, {"file": file})
    assert response.status_code == 413


def test_every_view_that_takes_files_says_so() -> None:
    """Those that do not are refused everything above the usual limit, so a new one has to be marked."""
    marked = {
        door.name for door in doors() if hasattr(getattr(door.view, "cls", door.view), "file_limit")
    }
    assert marked == {
        "connections:file-create",
        "connections:connection-create-details",
        "connections:connection-update",
        "api-file-list",
    }
    found = subprocess.run(
        ["git", "grep", "-l", "request.FILES", "--", "*.py"],
        cwd=settings.BASE_DIR, capture_output=True, text=True,
    )  # fmt: skip
    here = {Path(name).as_posix() for name in found.stdout.split() if "/tests/" not in name}
    assert here <= {
        "connections/views_files.py",
        "connections/views_form.py",
        "connections/api/views.py",
    }, "mark the view with common.bodies.takes_files and name it here"


def test_too_many_fields_are_refused_in_words(owner: Person) -> None:
    with override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=10):
        owner.client.raise_request_exception = False
        response = owner.client.post("/theme/", {f"f{n}": "1" for n in range(20)})
    assert response.status_code == 400
    assert "too many fields" in response.content.decode()


async def _reading(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads its body to the end, as Django does, and says how long it was."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


def _asgi(application: Any, path: str, chunks: int, size: int, announced: int | None = None) -> Any:
    """(status, chunks that were taken) of a body that comes in so many."""
    taken, said = 0, []
    headers = [(b"host", b"localhost"), (b"content-type", b"text/plain")]
    if announced is not None:
        headers.append((b"content-length", str(announced).encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * size, "more_body": taken < chunks}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(bodies.BodyLimit(application)(scope, receive, send))
    return said[0]["status"], taken


MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("announced", [None, 10])
def test_a_body_without_end_is_ended_at_the_door(announced: int | None) -> None:
    """Django below ASGI would keep all of it on disk before anybody is asked."""
    answer = _asgi(ASGIHandler(), "/accounts/login/", 1000, MEGABYTE, announced)
    assert answer == (413, 6)


def test_what_is_within_the_limit_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that takes files has a limit of its own, asked only once the usual one is passed."""
    asked: list[str] = []

    def limit_of(path: str) -> int:
        asked.append(path)
        return 8 * MEGABYTE

    monkeypatch.setattr(bodies, "limit_of", limit_of)
    assert _asgi(_reading, "/files/", 5, MEGABYTE) == (200, 5)
    assert asked == []
    assert _asgi(_reading, "/files/", 8, MEGABYTE) == (200, 8)
    assert asked == ["/files/"]
    assert _asgi(_reading, "/files/", 100, MEGABYTE) == (413, 9)


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
