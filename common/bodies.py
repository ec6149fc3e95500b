"""How much a request may bring along: refused before it is read, wherever the server would keep it for us.

Forms and JSON have ``DATA_UPLOAD_MAX_MEMORY_SIZE``; a view that takes files says its own limit with ``takes_files``.
Servers below ASGI read a body to its end before Django sees the request, so there the door itself counts.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from common.errors import UserError
from common.middleware import problem_page

View = TypeVar("View", bound=Callable[..., Any])
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: Beside the file: the other fields of its form, and the lines between them.
FORM_AROUND_A_FILE = 1024 * 1024


class BodyTooLarge(UserError):
    """The request is larger than what is taken here."""

    code = "too_large"
    http_status = 413


def takes_files(limit: Callable[[], int]) -> Callable[[View], View]:
    """Mark a view (or the class of one) as one that takes a file of up to ``limit()`` bytes."""

    def mark(view: View) -> View:
        view.file_limit = limit  # type: ignore[attr-defined]
        return view

    return mark


def limit_of(path: str) -> int:
    """The bytes that a request to this path may have."""
    usual = int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    try:
        view = resolve(path).func
    except Resolver404:
        return usual
    limit = getattr(getattr(view, "cls", view), "file_limit", None)
    return usual if limit is None else max(usual, limit() + FORM_AROUND_A_FILE)


def too_large(limit: int) -> BodyTooLarge:
    megabytes = max(limit // 1024**2, 1)
    return BodyTooLarge(
        _("The request has more than %(megabytes)s MB.") % {"megabytes": megabytes},
        remedy=_("Send less at once, or put the file into the files directory on the server."),
    )


class BodyLimitMiddleware:
    """413 for a body that says itself that it is too large, before any of it is read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Everything here is UTF-8; Django would decode the query with whatever codec is named, "hex" too.
        if request.encoding:
            request.encoding = "utf-8"
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        said = request.META.get("CONTENT_LENGTH") or "0"
        length = int(said) if said.isascii() and said.isdigit() else 0
        if length <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return None
        limit = limit_of(request.path_info)
        return problem_page(request, too_large(limit)) if length > limit else None


class BodyLimit:
    """Around an ASGI application: ends a body that grows beyond its limit, whatever length it had announced."""

    def __init__(self, application: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        counted = _Counted(scope, receive, send)
        await self.application(scope, counted.receive, counted.send)
        if counted.is_over and not counted.has_begun:
            await _refuse(send)


class _Counted:
    """The two ends of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._path = str(scope["path"])
        self._receive, self._send = receive, send
        self._limit = int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        self._is_usual = True
        self._bytes = 0
        self.is_over = self.has_begun = False

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if message["type"] != "http.request" or self.has_begun:
            return message
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._limit and self._is_usual:
            # Only now: most requests are small, and the limit of files stands in the database.
            self._is_usual = False
            self._limit = await sync_to_async(limit_of)(self._path)
        if self._bytes > self._limit:
            self.is_over = True
            # As if they had gone away: Django forgets what it has read so far.
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.has_begun = True
        await self._send(message)


async def _refuse(send: Send) -> None:
    text = b"The request is larger than what is taken here."
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
