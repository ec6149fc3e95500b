"""The shape of ``shell``, the context variable base.html draws the frame of a page from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class NavItem(TypedDict):
    key: str
    label: str | Promise
    icon: str
    url: str
    #: Shown at the right; None shows nothing.
    count: int | None
    #: "run" (blue: running now), "bad" (red: needs attention) or "" (plain).
    tone: Literal["", "run", "bad"]


class NavGroup(TypedDict):
    #: Empty for the first group, which has no heading.
    heading: str | Promise
    items: list[NavItem]


class ShellOrganization(TypedDict):
    name: str
    slug: str
    #: One or two letters of the mark.
    mark: str
    url: str


class ShellMembership(TypedDict):
    name: str
    url: str
    #: The role as a word.
    role: str | Promise
    current: bool


class ShellUser(TypedDict):
    name: str
    email: str
    initials: str
    account_url: str
    #: Where the sign-out form posts to.
    sign_out_url: str


class Shell(TypedDict):
    organization: ShellOrganization
    #: The signed-in person's role here, as a word.
    role: str | Promise
    memberships: list[ShellMembership]
    #: Empty when the person may not create one.
    new_organization_url: str
    nav: list[NavGroup]
    #: Key of the current nav item; a page may override it with the context variable ``nav_key``.
    active: str
    user: ShellUser
    #: "light", "dark" or "" (as the system has it).
    theme: str
    #: Where the theme form posts ``theme`` and ``next`` to.
    theme_url: str
    #: Letter after ``g`` → URL.
    goto: dict[str, str]
    palette_url: str
    #: False switches single-letter keys off (a setting of the account).
    hotkeys: bool
    #: A sentence of the operator shown above every page.
    banner: NotRequired[str]


@dataclass(frozen=True)
class Place:
    """One entry of the product's navigation, before it knows its URL."""

    key: str
    label: str | Promise
    icon: str
    letter: str


#: The navigation of the product, in its order. Entries without a URL are absent.
PLACES: tuple[tuple[str | Promise, tuple[Place, ...]], ...] = (
    (
        "",
        (
            Place("overview", _("Overview"), "layout-dashboard", "o"),
            Place("shared", _("Shared with you"), "users", "o"),
            Place("runs", _("Runs"), "activity", "r"),
        ),
    ),
    (
        _("Build"),
        (
            Place("connections", _("Connections"), "plug", "c"),
            Place("pipelines", _("Pipelines"), "arrow-right-left", "p"),
            Place("transformations", _("Transformations"), "box", "t"),
            Place("lineage", _("Lineage"), "workflow", "l"),
        ),
    ),
    (
        _("Operate"),
        (
            Place("schedules", _("Schedules"), "calendar-clock", "s"),
            Place("alerts", _("Alerts"), "bell", "n"),
        ),
    ),
    (
        _("Organization"),
        (
            Place("members", _("Members"), "users", "m"),
            Place("api-keys", _("API keys"), "key-round", "k"),
            Place("audit", _("Audit log"), "scroll-text", "a"),
            Place("settings", _("Settings"), "settings", ","),
        ),
    ),
)


def build_nav(
    urls: Mapping[str, str],
    counts: Mapping[str, int] | None = None,
    tones: Mapping[str, Literal["", "run", "bad"]] | None = None,
) -> list[NavGroup]:
    """The navigation of someone who may open the places in ``urls`` (key → URL), others absent."""
    counts, tones = counts or {}, tones or {}
    groups: list[NavGroup] = []
    for heading, places in PLACES:
        items: list[NavItem] = [
            {
                "key": place.key,
                "label": place.label,
                "icon": place.icon,
                "url": urls[place.key],
                "count": counts.get(place.key),
                "tone": tones.get(place.key, ""),
            }
            for place in places
            if place.key in urls
        ]
        if items:
            groups.append({"heading": heading, "items": items})
    return groups


def build_goto(urls: Mapping[str, str]) -> dict[str, str]:
    """Letter → URL of the same places, for ``g`` then a letter."""
    return {
        place.letter: urls[place.key]
        for _heading, places in PLACES
        for place in places
        if place.key in urls
    }


def initials(name: str) -> str:
    """Two letters for an avatar: "Mara Lindqvist" and "mara.lindqvist@example.com" give "ML"."""
    words = name.split("@")[0].replace(".", " ").replace("_", " ").replace("-", " ").split()
    return "".join(word[0] for word in [*words[:1], *words[1:][-1:]]).upper() or "?"
