"""What is answered before any view is asked: a malformed request, one too large, one without its token."""

from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from common.bodies import too_large
from common.errors import PermissionDenied, UserError
from common.middleware import problem_page


class BadRequest(UserError):
    """The request cannot be read."""

    code = "bad_request"
    http_status = 400


class CsrfRefused(PermissionDenied):
    """The form is too old, or did not come from a page of ours."""

    code = "csrf_failed"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own refusals in our words; nothing of the request is repeated."""
    if isinstance(exception, RequestDataTooBig):
        return problem_page(request, too_large(int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)))
    return problem_page(request, _said(exception))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Why it was refused stands in the log of ``django.security.csrf``; who sent it is told what to do."""
    remedy = _(
        "Go back, load the page again and send the form once more. Cookies have to be allowed."
    )
    return problem_page(request, CsrfRefused(remedy=remedy))


def _said(exception: Exception) -> BadRequest:
    if isinstance(exception, DisallowedHost):
        return BadRequest(
            _("This installation does not answer to that host name."),
            remedy=_("Operators list its names in DATANIKA_ALLOWED_HOSTS."),
        )
    if isinstance(exception, TooManyFieldsSent | TooManyFilesSent):
        return BadRequest(_("The form has too many fields."), remedy=_("Send fewer at once."))
    return BadRequest(remedy=_("Go back and try again."))
