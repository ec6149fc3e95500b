"""The log as server-sent events, as an ASGI server sends them."""

import asyncio

import pytest
from django.test import AsyncClient

from conftest_site import Person
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
    assert [part.partition("\n")[0] for part in events[:-1]] == [
        f"id: {number}" for number in range(2, failed_run.last_line + 1)
    ]
    assert events[-1] == 'event: end\ndata: {"state": "failed"}'
