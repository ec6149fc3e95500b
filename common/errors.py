"""The errors of Datanika: each is one sentence for a person, a code for a program, and a remedy.

``UserError`` and its kin are expected: every face shows them and none logs a traceback. Only ``TransientError``
is retried.
"""

from contextvars import ContextVar
from typing import Any

from common.signatures import signature_of

#: Refusals of this request, for the audit log: a form that shows one beside a field is a refusal as well.
refusals: "ContextVar[list[PermissionDenied] | None]" = ContextVar("refusals", default=None)


class DatanikaError(Exception):
    """Something Datanika itself did wrong; the operator wants to know.

    The class docstring is the default message. ``field`` names the form or JSON field at fault,
    ``remedy`` says what to do about it, ``detail`` quotes the other system's own words.
    ``signature`` is the mark of what it was made from (``sqlstate:28P01``); where it is not set, the
    exception it was raised from gives it.
    """

    code = "internal_error"
    http_status = 500
    transient = False

    def __init__(
        self, message: str = "", *, field: str = "", remedy: str = "", detail: str = ""
    ) -> None:
        self.message = message or _first_line(self)
        self.field = field
        self.remedy = remedy
        self.detail = detail
        self.signature = ""
        #: Of a load: the end it came from, ``source`` or ``destination``; empty where that is not known.
        self.end = ""
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_event(self) -> dict[str, Any]:
        """The ``error`` event a child writes (docs/architecture.md, Events)."""
        return {
            "event": "error",
            "code": self.code,
            "signature": signature_of(self),
            "message": self.message,
            "remedy": self.remedy,
            "field": self.field,
            "transient": self.transient,
            "detail": self.detail,
            **({"end": self.end} if self.end else {}),
        }


class UserError(DatanikaError):
    """The request cannot be carried out as it stands."""

    code = "invalid"
    http_status = 422


class PermissionDenied(UserError):
    """Your role does not allow this."""

    code = "permission_denied"
    http_status = 403
    #: The permission that was missing, where it is one of ``common.access``; the audit log names it.
    permission = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (seen := refusals.get()) is not None:
            seen.append(self)


class NotFound(UserError):
    """There is no such thing here."""

    code = "not_found"
    http_status = 404


class Conflict(UserError):
    """The thing has changed, or is in use."""

    code = "conflict"
    http_status = 409


class TransientError(UserError):
    """Another system did not answer in time; trying again may help."""

    code = "temporarily_unavailable"
    http_status = 503
    transient = True


class UnscopedQueryError(DatanikaError):
    """Rows of organizations are read through ``.for_organization(organization)`` only."""

    code = "unscoped_query"


def _first_line(error: DatanikaError) -> str:
    return (type(error).__doc__ or type(error).__name__).strip().splitlines()[0]
