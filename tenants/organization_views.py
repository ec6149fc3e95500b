"""Pages below ``/o/<organization>/``: members, invitations, settings."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, Role, is_at_least, requires
from common.errors import DatanikaError
from common.http import get_or_404, say, warn
from tenants import mail, selectors, services
from tenants.actors import Actor
from tenants.forms import (
    InviteForm,
    RoleForm,
    SettingsForm,
    put_error,
    role_choices,
)
from tenants.models import Invitation, Membership


@dataclass(frozen=True)
class MemberRow:
    """A member as the table shows them to this actor."""

    membership: Membership
    is_self: bool
    #: Roles the actor may give; empty when they may not change this one.
    choices: list[tuple[str, str]]
    #: Why nothing can be changed, for who otherwise could.
    reason: str
    keys: int


@dataclass(frozen=True)
class Sent:
    """An invitation just made; its link is shown this once."""

    invitation: Invitation
    link: str
    mailed: bool


# Members ------------------------------------------------------------------------------------------


@require_GET
@requires(Permission.VIEW)
def member_list(request: OrganizationRequest) -> HttpResponse:
    actor = request.actor
    can_manage = actor.can(Permission.MANAGE_MEMBERS)
    context = {
        "rows": _member_rows(request, can_manage),
        "can_manage": can_manage,
        "invitations": selectors.open_invitations_of(request.organization) if can_manage else [],
    }
    return render(request, "tenants/member_list.html", context)


def _member_rows(request: OrganizationRequest, can_manage: bool) -> list[MemberRow]:
    members = list(selectors.members_of(request.organization))
    keys = selectors.key_counts_of(request.organization)
    owners = sum(member.role == Role.OWNER for member in members)
    rows = []
    for member in members:
        reason = ""
        if can_manage and member.role == Role.OWNER and owners == 1:
            reason = "The last owner: make another member an owner first."
        elif can_manage and not is_at_least(request.actor.role, Role(member.role)):
            reason = f"Only an owner changes an {member.role}."
        choices = role_choices(request.actor.role) if can_manage and not reason else []
        is_self = _is_self(request.actor, member)
        rows.append(MemberRow(member, is_self, choices, reason, keys.get(member.user_id, 0)))
    return rows


def _is_self(actor: Actor, membership: Membership) -> bool:
    return actor.kind == "user" and actor.identifier == str(membership.user_id)


def _member(request: OrganizationRequest, pk: int) -> Membership:
    return get_or_404(selectors.members_of(request.organization), pk=pk)


@require_POST
@requires(Permission.MANAGE_MEMBERS)
def member_role(request: OrganizationRequest, pk: int) -> HttpResponse:
    membership = _member(request, pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        warn(request, "There is no such role.")
        return redirect("tenants:member-list", request.organization.slug)
    role = Role(form.cleaned_data["role"])
    services.change_role(membership=membership, role=role, actor=request.actor)
    say(request, f"{membership.user.display_name} is now {role}.")
    return redirect("tenants:member-list", request.organization.slug)


@require_http_methods(["GET", "POST"])
@requires(Permission.MANAGE_MEMBERS)
def member_remove(request: OrganizationRequest, pk: int) -> HttpResponse:
    """GET asks, for browsers without the dialog."""
    membership = _member(request, pk)
    if request.method == "POST":
        is_self = _is_self(request.actor, membership)
        services.remove_member(membership=membership, actor=request.actor)
        if is_self:
            return redirect("home")
        say(request, f"{membership.user.display_name} is no longer a member.")
        return redirect("tenants:member-list", request.organization.slug)
    keys = selectors.key_counts_of(request.organization).get(membership.user_id, 0)
    context = {"membership": membership, "keys": keys}
    return render(request, "tenants/member_remove.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
@requires(Permission.MANAGE_MEMBERS)
def member_invite(request: OrganizationRequest) -> HttpResponse:
    """Answers a POST with the links themselves: they are nowhere to be read afterwards."""
    form = InviteForm(request.POST or None, actor_role=request.actor.role)
    if form.is_valid():
        try:
            made = services.invite_all(
                organization=request.organization,
                emails=form.cleaned_data["emails"],
                role=Role(form.cleaned_data["role"]),
                days=form.cleaned_data["days"],
                actor=request.actor,
            )
        except DatanikaError as error:
            form.add_error(error.field if error.field in form.fields else "emails", str(error))
        else:
            context = {"sent": [_send(request, *pair) for pair in made], "mail": mail.can_send()}
            return render(request, "tenants/member_invited.html", context)
    context = {"form": form, "mail": mail.can_send()}
    status = 422 if request.method == "POST" else 200
    return render(request, "tenants/member_invite.html", context, status=status)


def invitation_link(request: HttpRequest, token: str) -> str:
    return request.build_absolute_uri(reverse("tenants:invitation-accept", args=[token]))


def _send(request: HttpRequest, invitation: Invitation, token: str) -> Sent:
    link = invitation_link(request, token)
    return Sent(invitation, link, mail.send_invitation(invitation, link))


@never_cache
@require_POST
@requires(Permission.MANAGE_MEMBERS)
def invitation_resend(request: OrganizationRequest, pk: int) -> HttpResponse:
    """Answers with the new link; the one before it works no longer."""
    invitation = get_or_404(selectors.open_invitations_of(request.organization), pk=pk)
    made = services.resend_invitation(invitation=invitation, actor=request.actor)
    context = {"sent": [_send(request, *made)], "mail": mail.can_send(), "again": True}
    return render(request, "tenants/member_invited.html", context)


@require_POST
@requires(Permission.MANAGE_MEMBERS)
def invitation_revoke(request: OrganizationRequest, pk: int) -> HttpResponse:
    invitation = get_or_404(selectors.open_invitations_of(request.organization), pk=pk)
    services.revoke_invitation(invitation=invitation, actor=request.actor)
    say(request, f"The invitation of {invitation.email} is revoked.")
    return redirect("tenants:member-list", request.organization.slug)


# Settings -----------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.MANAGE_ORGANIZATION)
def settings(request: OrganizationRequest) -> HttpResponse:
    form = SettingsForm(request.POST or None, organization=request.organization)
    if form.is_valid():
        try:
            services.update_organization(
                organization=request.organization, actor=request.actor, **form.cleaned_data
            )
        except DatanikaError as error:
            put_error(form, error)
            # The frame of the page shows what is stored, not what was refused.
            request.organization.refresh_from_db()
        else:
            say(request, "Settings saved.")
            return redirect("tenants:settings", request.organization.slug)
    status = 422 if request.method == "POST" else 200
    return render(request, "tenants/settings.html", {"form": form}, status=status)
