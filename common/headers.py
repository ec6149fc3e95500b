"""The response headers that no framework of ours sets by itself; the others are settings (docs/threat-model.md)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

#: No page of ours asks for any of these, so nothing that got into one may.
_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope",
        "magnetometer", "microphone", "midi", "payment", "usb",
    )
)  # fmt: skip
ALWAYS = {
    "Permissions-Policy": _PERMISSIONS,
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Shared caches keep nothing, browsers ask again; who knows better (static files, streams, secrets) has said so.
CACHING = "private, no-cache"


class HeadersMiddleware:
    """Around everything, so that errors, static files, downloads and the admin have them too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", CACHING)
        return response
