"""The few pages that belong to no domain."""

import sys

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from common.api import PROBLEM
from common.errors import NotFound
from common.middleware import problem_json
from common.ui.kit import kit_context
from datanika_site.shell import THEMES
from tenants.models import Membership, User

YEAR = 365 * 24 * 3600


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """To the first start, the sign-in, the one organization, or the choice between several."""
    if not User.objects.exists():
        return redirect("tenants:welcome")
    if not request.user.is_authenticated:
        return redirect("account_login")
    rows = Membership.all_organizations.filter(user=request.user).select_related("organization")[:2]
    if len(rows) == 1:
        return redirect("orchestration:overview", rows[0].organization.slug)
    return redirect("tenants:organization-list")


@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    """For load balancers: 200 when the database answers, otherwise 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (OperationalError, InterfaceError):
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ok"})


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the theme in a cookie, so that the server renders it and no page flashes."""
    back = request.POST.get("next") or request.headers.get("Referer") or "/"
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure()):
        back = "/"
    response = redirect(back)
    chosen = request.POST.get("theme", "")
    response.set_cookie("theme", chosen if chosen in THEMES else "", max_age=YEAR, samesite="Lax")
    return response


@require_GET
def kit(request: HttpRequest) -> HttpResponse:
    """Every component in every state, for screenshots and accessibility tests."""
    if not settings.SHOW_KIT:
        raise Http404
    return render(request, "kit.html", kit_context())


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return problem_json(NotFound("There is nothing at this address.", remedy="Check it."))
    return render(request, "errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """What nobody expected; a database that is away is said to be just that. Asks the database for nothing."""
    is_away = isinstance(sys.exc_info()[1], (OperationalError, InterfaceError))
    status = 503 if is_away else 500
    if request.path.startswith("/api/"):
        response: HttpResponse = _problem(is_away, status)
    else:
        response = HttpResponse(render_to_string(f"errors/{status}.html"), status=status)
    if is_away:
        response["Retry-After"] = "10"
    return response


def _problem(is_away: bool, status: int) -> JsonResponse:
    code = "database_away" if is_away else "internal_error"
    title = "The database does not answer." if is_away else "Something failed on our side."
    remedy = (
        "Try again in a minute. Runs that are under way go on."
        if is_away
        else "Try again. If it stays, tell the operator of this installation when it happened."
    )
    data = {
        "type": f"urn:datanika:{code}",
        "title": title,
        "status": status,
        "detail": f"{title} {remedy}",
        "code": code,
        "field": "",
        "remedy": remedy,
    }
    return JsonResponse(data, status=status, content_type=PROBLEM)
