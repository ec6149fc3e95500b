"""Pages on which an organization is left, handed over, deleted and restored."""

from datetime import timedelta
from typing import cast

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, say
from tenants import selectors, services
from tenants.forms import DeleteForm, HandOverForm, put_error
from tenants.models import User


@require_http_methods(["GET", "POST"])
@requires(Permission.BELONG)
def organization_leave(request: OrganizationRequest) -> HttpResponse:
    """GET asks."""
    if request.method == "POST":
        services.leave(organization=request.organization, actor=request.actor)
        say(request, _("You are no longer a member of %s.") % request.organization)
        return redirect("home")
    user = cast(User, request.user)
    context = {
        "keys": selectors.key_counts_of(request.organization).get(user.pk, 0),
        "is_last_owner": request.membership and selectors.is_last_owner(request.membership),
    }
    return render(request, "tenants/organization_leave.html", context)


# Nobody is kept in an organization because it is suspended.
organization_leave.works_at_rest = True  # type: ignore[attr-defined]


@require_http_methods(["GET", "POST"])
@requires(Permission.OWN_ORGANIZATION)
def organization_hand_over(request: OrganizationRequest) -> HttpResponse:
    user = cast(User, request.user)
    others = selectors.members_of(request.organization).exclude(user=user)
    form = HandOverForm(request.POST or None, members=others)
    if form.is_valid():
        chosen = get_or_404(others, pk=form.cleaned_data["member"])
        try:
            services.hand_over(
                organization=request.organization, membership=chosen, actor=request.actor
            )
        except DatanikaError as error:
            put_error(form, error)
        else:
            name = chosen.user.display_name
            say(request, _("%s is an owner now, and you are an admin.") % name)
            return redirect("tenants:settings", request.organization.slug)
    context = {"form": form, "has_others": others.exists()}
    status = 422 if request.method == "POST" else 200
    return render(request, "tenants/organization_hand_over.html", context, status=status)


@require_http_methods(["GET", "POST"])
@requires(Permission.OWN_ORGANIZATION)
def organization_delete(request: OrganizationRequest) -> HttpResponse:
    form = DeleteForm(request.POST or None, name=request.organization.name)
    if form.is_valid():
        try:
            services.delete_organization(
                organization=request.organization, actor=request.actor, **form.cleaned_data
            )
        except DatanikaError as error:
            put_error(form, error)
        else:
            say(request, _("%s is deleted. It can be restored here.") % request.organization)
            return redirect("tenants:settings", request.organization.slug)
    days = selectors.platform_settings().organization_grace_days
    gone = timezone.now() + timedelta(days=days)
    context = {"form": form, "days": days, "gone": gone}
    status = 422 if request.method == "POST" else 200
    return render(request, "tenants/organization_delete.html", context, status=status)


@require_POST
@requires(Permission.OWN_ORGANIZATION)
def organization_restore(request: OrganizationRequest) -> HttpResponse:
    services.restore_organization(organization=request.organization, actor=request.actor)
    say(request, _("%s is back. Schedules go on with their next time.") % request.organization)
    return redirect("tenants:settings", request.organization.slug)


organization_restore.works_at_rest = True  # type: ignore[attr-defined]
