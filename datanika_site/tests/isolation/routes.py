"""Every route there is, from the resolver: its name, its address for given things, and who answers it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from datanika_site.tests.isolation.world import Side, Things
from datanika_site.tests.test_access import ORGANIZATION, SHARED, Route

PAGES_AT, API_AT = f"o/{ORGANIZATION}/", f"api/v1/organizations/{ORGANIZATION}/"
_ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")


@dataclass(frozen=True)
class Door:
    """A route by its name (``connections:file-list``) with the view behind it."""

    name: str
    route: str
    view: Any

    @property
    def is_page(self) -> bool:
        return self.route.startswith(PAGES_AT)

    @property
    def is_api(self) -> bool:
        """Whether it is a part of an organization's API."""
        return self.route.startswith(API_AT)

    @property
    def is_admin(self) -> bool:
        return self.route.startswith(settings.ADMIN_PATH)

    @property
    def methods(self) -> list[str]:
        """What an API view handles."""
        known = ("GET", "POST", "PUT", "PATCH", "DELETE")
        return [method for method in known if hasattr(self.view.cls, method.lower())]

    @property
    def arguments(self) -> list[tuple[str, str]]:
        return Route(self.route, {}).arguments

    @property
    def names_things(self) -> bool:
        """Whether its address names something that belongs to an organization."""
        return bool(set(self.arguments) - SHARED)

    def url(self, side: Side, things: Things | None = None) -> str:
        """Its address in the organization of ``side``, for its own things unless others are given."""
        return Route(self.route, {}).url(side.organization, things or side.things)

    def outside_url(self, values: dict[str, str]) -> str:
        """The address of one that belongs to no organization; ``values`` by the converter's name."""
        if self.route.startswith(("o/", "api/v1/organizations/<")):
            raise AssertionError(self.route)
        text = _ARGUMENT.sub(lambda found: values[found[1] or "str"], self.route)
        # The only regular expression among the routes is the one of a reset password.
        text = re.sub(r"\(\?P<\w+>[^()]*\)", values["slug"], text)
        return "/" + re.sub(r"[\^$\\]", "", text).replace("//", "/")


def doors() -> list[Door]:
    """All of them, those of the admin too."""
    return list(_leaves(get_resolver().url_patterns, "", ""))


def _leaves(patterns: list[Any], prefix: str, space: str) -> Iterator[Door]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.app_name}:" if pattern.app_name else space
            yield from _leaves(pattern.url_patterns, route, inner)
        elif isinstance(pattern, URLPattern):
            yield Door(f"{space}{pattern.name or ''}", route, pattern.callback)
