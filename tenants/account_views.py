"""A person's own pages: the account, and where they are signed in."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.http import client_ip, say
from tenants import services, sessions
from tenants.forms import ProfileForm
from tenants.models import User
from tenants.services import sessions as session_services
from tenants.services.second_factor import second_factor_of
from tenants.views import memberships_of_person


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def account(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    form = ProfileForm(request.POST or None, initial={"name": user.name})
    if form.is_valid():
        services.rename_user(user=user, name=form.cleaned_data["name"])
        say(request, _("Name saved."))
        return redirect("tenants:account")
    # This very session may not have been noted yet.
    sessions.note_visit(request, user)
    context = {
        "form": form,
        "memberships": memberships_of_person(user),
        "factor": second_factor_of(user),
        "browser_count": len(sessions.browser_sessions_of(user, None)),
        "program_count": len(sessions.api_sign_ins_of(user)),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "tenants/account.html", context, status=status)


@never_cache
@require_GET
@login_required
def session_list(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    sessions.note_visit(request, user)
    browsers = sessions.browser_sessions_of(user, request.session.session_key)
    programs = sessions.api_sign_ins_of(user)
    context = {
        "browsers": browsers,
        "programs": programs,
        "has_others": len(browsers) + len(programs) > 1,
    }
    return render(request, "tenants/session_list.html", context)


@require_POST
@login_required
def session_end(request: HttpRequest, pk: int) -> HttpResponse:
    session_services.end_session(
        user=cast(User, request.user), session_id=pk, ip=client_ip(request)
    )
    say(request, _("The session is ended."))
    return redirect("tenants:session-list")


@require_POST
@login_required
def session_end_others(request: HttpRequest) -> HttpResponse:
    ended = session_services.end_others(
        user=cast(User, request.user),
        keep=str(request.session.session_key),
        ip=client_ip(request),
    )
    text = ngettext("%(n)s other session is ended.", "%(n)s other sessions are ended.", ended)
    say(request, text % {"n": ended})
    return redirect("tenants:session-list")


@require_POST
@login_required
def api_sign_in_end(request: HttpRequest, pk: int) -> HttpResponse:
    session_services.end_api_sign_in(
        user=cast(User, request.user), family_id=pk, ip=client_ip(request)
    )
    say(request, _("The API sign-in is ended."))
    return redirect("tenants:session-list")
