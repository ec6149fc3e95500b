"""Who asks, and for which organization: settled once per request, from the URL and the session."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from common import scope
from common.access import OrganizationRequest
from common.errors import DatanikaError, NotFound
from common.http import client_ip
from common.middleware import problem_page
from tenants.actors import Actor
from tenants.models import Membership, User
from tenants.services import check_awake

#: Last seen is a courtesy, not a log: it is written at most this often.
SEEN_EVERY = timedelta(minutes=5)


_SAFE = ("GET", "HEAD", "OPTIONS")


class OrganizationMiddleware:
    """Resolves ``/o/<organization>/`` to the membership, or 404 for anyone who has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Threads are shared: the zone and the scope of the organization before must not stay.
        timezone.deactivate()
        scope.leave()
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """Only routes with ``organization`` in them, and not the API, which authenticates itself."""
        if "organization" not in kwargs or request.path.startswith("/api/"):
            return None
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        slug = kwargs.pop("organization")
        membership = membership_of(request.user, slug)
        if membership is None:
            # Exceptions of process_view bypass process_exception, so the page is made here.
            missing = NotFound("There is no such organization, or you are not a member of it.")
            return problem_page(request, missing)
        scoped = cast(OrganizationRequest, request)
        scope.enter(membership.organization_id)
        scoped.organization = membership.organization
        scoped.membership = membership
        scoped.actor = Actor.member(membership, ip=client_ip(request))
        timezone.activate(membership.organization.time_zone)
        _touch(membership)
        return _refusal_at_rest(request, view, membership)


def _refusal_at_rest(
    request: HttpRequest, view: Callable[..., HttpResponseBase], membership: Membership
) -> HttpResponseBase | None:
    """Of an organization that rests everything may be looked at and nothing changed."""
    if request.method in _SAFE or getattr(view, "works_at_rest", False):
        return None
    try:
        check_awake(membership.organization)
    except DatanikaError as error:
        return problem_page(request, error)
    return None


def membership_of(user: User, slug: str) -> Membership | None:
    # The one read that may start from the person: it is what finds the organization.
    rows = Membership.all_organizations.select_related("organization", "user")
    return rows.filter(user=user, organization__slug=slug).first()


def _touch(membership: Membership) -> None:
    now = timezone.now()
    if membership.last_seen_at is None or now - membership.last_seen_at > SEEN_EVERY:
        Membership.all_organizations.filter(pk=membership.pk).update(last_seen_at=now)
