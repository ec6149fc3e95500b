"""The page on which one connection or pipeline is shared with members: the apps that have such things serve it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.access import OrganizationRequest, Permission, Role
from common.errors import UserError
from common.http import get_or_404, say, warn
from common.scoping import OrganizationOwned
from common.ui.forms import ChoiceCards
from tenants import selectors, services
from tenants.models import Membership


@dataclass(frozen=True)
class Level:
    """One grant that can be given."""

    permission: Permission
    label: str | Promise
    words: str | Promise


class GrantForm(forms.Form):
    """What ``give`` takes; the service refuses what does not fit."""

    member = forms.ChoiceField(
        label=_("Person"),
        help_text=_("Viewers and guests; the other roles may do everything with it."),
    )
    permission = forms.ChoiceField(label=_("May"), initial=Permission.RUN.value)

    def __init__(self, *, people: Iterable[Membership], levels: Iterable[Level]) -> None:
        super().__init__()
        member, permission = self.fields["member"], self.fields["permission"]
        named = [
            (row.pk, f"{row.user.display_name} ({row.user.email}, {row.role})") for row in people
        ]
        member.choices = [("", _("Choose a member")), *named]  # type: ignore[attr-defined]
        words = {level.permission.value: level.words for level in levels}
        permission.widget = ChoiceCards(descriptions=words)
        permission.choices = [  # type: ignore[attr-defined]
            (level.permission.value, level.label) for level in levels
        ]


@dataclass(frozen=True)
class Row:
    """A member with what was shared with them, or what their role allows anyhow."""

    membership: Membership
    level: Level | None = None
    #: The role allows as much by now, so that the grant adds nothing.
    is_idle: bool = False


def sharing_context(
    request: OrganizationRequest, thing: OrganizationOwned, levels: list[Level]
) -> dict[str, Any]:
    """Who may do what with it, and the choices of the form that shares it; ``levels`` from the weakest."""
    everybody = selectors.access_to(thing)
    by_permission = {level.permission: level for level in levels}
    shared = [
        Row(one.membership, by_permission[one.grant], one.grant in one.by_role)
        for one in everybody
        if one.grant
    ]
    # Whose role allows it all needs nothing.
    people = [one.membership for one in everybody if Permission.EDIT not in one.by_role]
    can_share = request.actor.can(Permission.MANAGE_MEMBERS)
    return {
        "thing": thing,
        "shared": shared,
        "roles": _roles(everybody),
        "can_share": can_share,
        "form": GrantForm(people=people, levels=levels) if can_share and people else None,
    }


def give(request: OrganizationRequest, thing: OrganizationOwned) -> None:
    """Carry out the form: ``member`` and ``permission``. A refusal becomes a message on the page."""
    text = request.POST.get("member", "")
    pk = int(text) if text.isdecimal() and len(text) < 18 else 0
    try:
        membership = get_or_404(selectors.members_of(request.organization), pk=pk)
        services.give_grant(
            on=thing,
            membership=membership,
            permission=request.POST.get("permission", ""),
            actor=request.actor,
        )
    except UserError as error:
        warn(request, str(error))
    else:
        words = {"thing": thing, "person": membership.user.display_name}
        say(request, gettext("%(thing)s is shared with %(person)s.") % words)


def take(request: OrganizationRequest, thing: OrganizationOwned, member: int) -> None:
    """Take back what was shared with a member; 404 for nobody of the organization."""
    membership = get_or_404(selectors.members_of(request.organization), pk=member)
    services.take_grant(on=thing, membership=membership, actor=request.actor)
    words = {"thing": thing, "person": membership.user.display_name}
    say(request, gettext("%(thing)s is no longer shared with %(person)s.") % words)


def _roles(everybody: list[selectors.Access]) -> list[dict[str, Any]]:
    """The members by what their role allows with everything of the organization."""
    groups = [
        (gettext("Everything, by their role"), Permission.EDIT),
        (gettext("Only see it, by their role"), Permission.VIEW),
    ]
    found, seen = [], set()
    for title, permission in groups:
        members = [
            one.membership
            for one in everybody
            if permission in one.by_role and one.membership.pk not in seen
        ]
        seen |= {member.pk for member in members}
        found.append({"title": title, "members": members})
    if guests := [one.membership for one in everybody if one.membership.role == Role.GUEST]:
        found.append({"title": gettext("Nothing but what is shared"), "members": guests})
    return found
