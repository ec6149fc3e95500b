"""How much a request may bring along, and where it is stopped."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.asgi import ASGIHandler
from django.test import Client, override_settings

from common import bodies
from conftest_site import Person
from datanika_site.tests.isolation.routes import doors
from tenants.models import Organization


@pytest.fixture
def outside() -> Client:
    return Client(raise_request_exception=False)


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
