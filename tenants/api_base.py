"""The base of every API view below ``/api/v1/organizations/<organization>/``."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from common import scope
from common.access import GRANTS, Permission, granted_objects
from common.api import CursorPagination, KnownKeys, checked
from common.http import get_or_404
from tenants import selectors, services
from tenants.actors import Actor
from tenants.api_authentication import resolve
from tenants.models import Membership, Organization
from tenants.services import check_awake

#: Methods with handlers of a view; each needs its permission in ``required``.
_HANDLED = ("GET", "POST", "PUT", "PATCH", "DELETE")


class OrganizationAPIView(APIView):
    """Knows the organization and the actor, and has checked the method's permission, before a handler runs.

    Handlers get the URL's arguments without the organization. A subclass names a permission for every
    method it handles, or it cannot be defined::

        class PipelineDetail(OrganizationAPIView):
            required = {"GET": Permission.VIEW, "PATCH": Permission.EDIT}

            @extend_schema(responses=PipelineSerializer)
            def get(self, request: Request, slug: str) -> Response: ...
    """

    required: ClassVar[dict[str, Permission]]
    #: What its requests are about, as for ``common.access.requires``: a grant on that will do as well.
    grantable: ClassVar[str] = ""
    #: Methods that also work while the organization is suspended or deleted, beside those that only read.
    at_rest: ClassVar[tuple[str, ...]] = ()
    #: List responses are pages; for one that is not, set None and answer the list itself.
    pagination_class: ClassVar[type[CursorPagination] | None] = CursorPagination

    organization: Organization
    actor: Actor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        handled = {method for method in _HANDLED if hasattr(cls, method.lower())}
        if missing := handled - set(getattr(cls, "required", {})):
            raise TypeError(f"{cls.__name__}.required says nothing about {sorted(missing)}.")

    def dispatch(
        self, request: HttpRequest, *args: Any, organization: str = "", **kwargs: Any
    ) -> HttpResponseBase:
        self._slug = organization
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.organization, self.actor = resolve(request, self._slug)
        # For the middleware, which writes down what is refused.
        vars(request._request).update(organization=self.organization, actor=self.actor)
        scope.enter(self.organization.pk)
        method = "GET" if request.method == "HEAD" else str(request.method)
        # A method without a handler ends as 405, OPTIONS shows no rows.
        if permission := self.required.get(method):
            self._require(permission, kwargs)
            if method != "GET" and method not in self.at_rest:
                check_awake(self.organization)

    def _require(self, permission: Permission, kwargs: dict[str, Any]) -> None:
        objects: tuple[Any, ...] = ()
        if self.grantable and not self.actor.can(permission) and self.actor.has_grants:
            sent = self.request.data if isinstance(self.request.data, Mapping) else {}
            # The address names the object before anything that was typed can.
            arguments = {**self.request.query_params.dict(), **sent, **kwargs}
            objects = granted_objects(self.grantable, self.organization, arguments)
        self.actor.require(permission, on=objects, grantable=bool(self.grantable))

    def body(self, serializer: type[BaseSerializer[Any]], *, partial: bool = False) -> Any:
        """The request's JSON, checked by ``serializer``; 422 problem details when it does not fit."""
        context = {"organization": self.organization}
        return checked(serializer(data=self.request.data, partial=partial, context=context))

    def query(self, serializer: type[BaseSerializer[Any]]) -> Any:
        """The query string, checked by ``serializer``."""
        return checked(serializer(data=self.request.query_params.dict()))

    def page(
        self,
        rows: QuerySet[Any],
        serializer: type[BaseSerializer[Any]],
        *,
        ordering: str | Iterable[str] = "-pk",
    ) -> Response:
        """One cursor page of ``rows`` (``next``, ``previous``, ``results``); ``?page_size=`` up to 200."""
        paginator = CursorPagination()
        # The cursor needs an order that no two rows share: end it with the key.
        order = (ordering,) if isinstance(ordering, str) else tuple(ordering)
        paginator.ordering = order  # type: ignore[assignment]
        found = paginator.paginate_queryset(rows, self.request, view=self)
        context = {"organization": self.organization, "request": self.request}
        return paginator.get_paginated_response(serializer(found, many=True, context=context).data)


class GrantSerializer(serializers.Serializer[Any]):
    """What one member was given on one thing, beyond their role."""

    member = serializers.IntegerField(source="membership.pk", help_text="The id of the member.")
    email = serializers.EmailField(source="membership.user.email")
    name = serializers.CharField(source="membership.user.name")
    role = serializers.CharField(source="membership.role")
    permission = serializers.CharField(source="grant")


class GrantInput(KnownKeys):
    permission = serializers.ChoiceField(
        [(permission.value, permission.value) for permission in GRANTS],
        help_text="`edit` includes `run`, and that `view`. To `run` a connection is to use it.",
    )


class GrantList(OrganizationAPIView):
    """With whom one thing of ``model`` is shared."""

    required: ClassVar[dict[str, Permission]] = {"GET": Permission.MANAGE_MEMBERS}
    pagination_class = None
    model: ClassVar[Any]

    @extend_schema(summary="List grants", responses=GrantSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """What was shared with single members. What roles allow is not among it."""
        thing = get_or_404(self.model.objects.for_organization(self.organization), slug=slug)
        found = [one for one in selectors.access_to(thing) if one.grant]
        return Response(GrantSerializer(found, many=True).data)


class GrantDetail(OrganizationAPIView):
    """Sharing one thing of ``model`` with one member."""

    required: ClassVar[dict[str, Permission]] = {
        "PUT": Permission.MANAGE_MEMBERS,
        "DELETE": Permission.MANAGE_MEMBERS,
    }
    model: ClassVar[Any]

    def _both(self, slug: str, member: int) -> tuple[Any, Membership]:
        thing = get_or_404(self.model.objects.for_organization(self.organization), slug=slug)
        return thing, get_or_404(selectors.members_of(self.organization), pk=member)

    @extend_schema(summary="Share with a member", request=GrantInput, responses=GrantInput)
    def put(self, request: Request, slug: str, member: int) -> Response:
        """In place of what the member had on it. 422 where the role allows as much already."""
        thing, membership = self._both(slug, member)
        sent = self.body(GrantInput)
        given = services.give_grant(
            on=thing, membership=membership, permission=sent["permission"], actor=self.actor
        )
        return Response({"permission": given})

    @extend_schema(summary="Stop sharing with a member", responses={204: None})
    def delete(self, request: Request, slug: str, member: int) -> Response:
        """From now on the member may do with it what the role allows."""
        thing, membership = self._both(slug, member)
        services.take_grant(on=thing, membership=membership, actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes our keys."""

    target_class = "tenants.api_authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key of the organization, as `Authorization: Bearer etf_…`.",
        }


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes access tokens."""

    target_class = "tenants.api_authentication.TokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A person's access token of `/api/v1/auth/token/`, as `Authorization: Bearer …`.",
        }
