"""The log as server-sent events, as an ASGI server sends them."""

import asyncio
import json

import pytest
from django.test import AsyncClient

from conftest_site import Person
from orchestration import log_lines, views_run_log
from orchestration.models import Run

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


# The stream reads in threads of its own, which see only what is committed.
@pytest.mark.django_db(transaction=True)
def test_a_stream_sends_every_line_and_ends_with_the_run(
    viewer: Person, client_urls: str, failed_run: Run
) -> None:
    client = AsyncClient()
    client.force_login(viewer.user, backend=BACKEND)

    async def read() -> tuple[dict[str, str], str]:
        response = await client.get(f"{client_urls}/runs/1/stream/?after=1")
        parts = [part async for part in response.streaming_content]  # type: ignore[attr-defined]
        return dict(response.headers), b"".join(parts).decode()

    headers, text = asyncio.run(read())
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Encoding"] == "identity"
    events = [part for part in text.split("\n\n") if part and not part.startswith(":")]
    (said,) = events[:-1]
    number, event, data = said.split("\n")
    assert (number, event) == (f"id: {failed_run.last_line}", "event: lines")
    lines = json.loads(data.removeprefix("data: "))["lines"]
    assert [line["n"] for line in lines] == list(range(2, failed_run.last_line + 1))
    assert events[-1] == 'event: end\ndata: {"state": "failed"}'


@pytest.mark.django_db(transaction=True)
def test_a_stream_that_is_far_behind_goes_on_with_the_end(
    viewer: Person, client_urls: str, failed_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_run_log, "FAR_BEHIND", 0)
    client = AsyncClient()
    client.force_login(viewer.user, backend=BACKEND)

    async def read() -> str:
        response = await client.get(f"{client_urls}/runs/1/stream/")
        parts = [part async for part in response.streaming_content]  # type: ignore[attr-defined]
        return b"".join(parts).decode()

    text = asyncio.run(read())
    assert '"skipped": true' in text
    assert text.rstrip().endswith('{"state": "failed"}')


@pytest.mark.django_db(transaction=True)
def test_a_download_is_sent_in_parts_by_an_asynchronous_server_too(
    viewer: Person, client_urls: str, failed_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "BATCH", 1)
    client = AsyncClient()
    client.force_login(viewer.user, backend=BACKEND)

    async def read() -> list[bytes]:
        response = await client.get(f"{client_urls}/runs/1/log.txt")
        return [part async for part in response.streaming_content]  # type: ignore[attr-defined]

    assert len(asyncio.run(read())) == failed_run.last_line


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["runs/1/log.txt", "audit/export/?as=csv"])
def test_a_download_comes_whole_under_asgi(
    owner: Person, client_urls: str, failed_run: Run, path: str
) -> None:
    client = AsyncClient()
    client.force_login(owner.user, backend=BACKEND)

    async def read() -> bytes:
        response = await client.get(f"{client_urls}/{path}")
        return b"".join([part async for part in response.streaming_content])  # type: ignore[attr-defined]

    lines = asyncio.run(read()).splitlines()
    assert lines
    # The audit log is longer by this very export when it is asked for again.
    again = owner.client.get(f"{client_urls}/{path}").getvalue().splitlines()
    assert [line for line in again if line in lines] == lines
