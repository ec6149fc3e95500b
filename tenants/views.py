"""Pages of a person: the first start, their organizations, an invitation."""

from typing import cast

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from common.errors import DatanikaError
from common.http import client_ip, say
from tenants import doors, proofs, services
from tenants.errors import InvitationUnusable, SetUpAlready, SignUpRefused
from tenants.forms import JoinForm, OrganizationForm, WelcomeForm, put_error
from tenants.models import Invitation, Membership, User
from tenants.services import addresses, sign_up

#: Whose sessions these are, for people who did not come through the sign-in form.
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def memberships_of_person(user: User) -> list[Membership]:
    rows = Membership.all_organizations.filter(user=user).select_related("organization")
    return list(rows.order_by("organization__name", "pk"))


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """The first start. Once anybody has an account this page is gone."""
    if User.objects.exists():
        raise SetUpAlready
    form = WelcomeForm(request.POST or None)
    if form.is_valid():
        data = form.cleaned_data
        try:
            organization = services.set_up(**data)
        except DatanikaError as error:
            put_error(form, error)
        else:
            login(request, User.objects.get(email=data["email"].lower()), backend=BACKEND)
            return redirect("orchestration:overview", organization.slug)
    return render(request, "tenants/welcome.html", {"form": form}, status=_status(request))


@require_GET
@login_required
def organization_list(request: HttpRequest) -> HttpResponse:
    rows = memberships_of_person(cast(User, request.user))
    return render(request, "tenants/organization_list.html", {"memberships": rows})


@require_http_methods(["GET", "POST"])
@login_required
def organization_create(request: HttpRequest) -> HttpResponse:
    form = OrganizationForm(request.POST or None)
    if form.is_valid():
        try:
            organization = services.create_organization(
                name=form.cleaned_data["name"],
                owner=cast(User, request.user),
                ip=client_ip(request),
            )
        except DatanikaError as error:
            put_error(form, error)
        else:
            return redirect("orchestration:overview", organization.slug)
    context = {"form": form}
    return render(request, "tenants/organization_create.html", context, status=_status(request))


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def invitation_accept(request: HttpRequest, token: str) -> HttpResponse:
    """Join with the account one has, or make one for the invited address.

    With the ``proof`` that only the mail holds the address counts as verified.
    """
    if wait := doors.knock(request, "invitation", key=token):
        return doors.too_many(request, wait)
    try:
        invitation = services.find_invitation(token)
    except InvitationUnusable as error:
        return render(request, "tenants/invitation_unusable.html", {"problem": error}, status=404)
    is_proven = proofs.is_proof(invitation, request.GET.get("proof", ""))
    if request.user.is_authenticated:
        return _accept_signed_in(request, invitation, token, is_proven)
    user = addresses.find_person(invitation.email)
    # What somebody else began with this address, and never proved, keeps nobody out.
    if user is not None and not (is_proven and addresses.is_claimable(user)):
        context = {"invitation": invitation}
        return render(request, "tenants/invitation_sign_in.html", context)
    return _accept_newcomer(request, invitation, token, is_proven)


def _accept_signed_in(
    request: HttpRequest, invitation: Invitation, token: str, is_proven: bool
) -> HttpResponse:
    user = cast(User, request.user)
    mine = user.email.lower() == invitation.email.lower()
    if request.method == "POST" and mine:
        membership = services.accept_invitation(token=token, user=user, ip=client_ip(request))
        if is_proven:
            addresses.mark_verified(user=user, ip=client_ip(request))
        say(request, f"You are now a member of {membership.organization}.")
        return redirect("orchestration:overview", membership.organization.slug)
    context = {"invitation": invitation, "mine": mine}
    # A POST for somebody else's address changed nothing, and says so.
    status = 403 if request.method == "POST" else 200
    return render(request, "tenants/invitation_accept.html", context, status=status)


def _accept_newcomer(
    request: HttpRequest, invitation: Invitation, token: str, is_proven: bool
) -> HttpResponse:
    try:
        sign_up.check_newcomers()
    except SignUpRefused as error:
        return render(request, "tenants/invitation_unusable.html", {"problem": error}, status=403)
    form = JoinForm(request.POST or None)
    if form.is_valid():
        try:
            membership = services.join(
                token=token, ip=client_ip(request), is_proven=is_proven, **form.cleaned_data
            )
        except DatanikaError as error:
            put_error(form, error)
        else:
            login(request, membership.user, backend=BACKEND)
            return redirect("orchestration:overview", membership.organization.slug)
    context = {"form": form, "invitation": invitation}
    return render(request, "tenants/invitation_join.html", context, status=_status(request))


def _status(request: HttpRequest) -> int:
    """A form that is shown again after a POST was refused."""
    return 422 if request.method == "POST" else 200
