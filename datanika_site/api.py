"""What of the API belongs to no app: the reference page and the caller's organizations."""

from functools import lru_cache
from typing import ClassVar, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.api import (
    AuditEventSerializer,
    AuditExportSerializer,
    AuditQuerySerializer,
    filters_of,
)
from audit.exports import Shape
from audit.responses import export_response
from audit.selectors import events_of
from common.access import Permission, Role
from common.ui.shell import NavGroup
from datanika_site.api_reference import Group, build_groups
from datanika_site.shell import shell
from tenants.api_authentication import KeyHolder
from tenants.api_base import OrganizationAPIView
from tenants.models import Membership, TokenFamily, User

#: Resource → icon of its entry in the reference's menu.
_ICONS = {
    "organizations": "building-2",
    "connections": "plug",
    "pipelines": "arrow-right-left",
    "transformations": "box",
    "dependencies": "workflow",
    "graph": "workflow",
    "schedules": "calendar-clock",
    "alert-rules": "bell",
    "alert-channels": "send",
    "alert-deliveries": "mail-check",
    "runs": "activity",
    "members": "users",
    "invitations": "mail",
    "api-keys": "key-round",
    "auth": "log-in",
    "audit-events": "scroll-text",
    "trash": "trash-2",
}


class OrganizationSerializer(serializers.Serializer[Membership]):
    """An organization as the caller sees it."""

    name = serializers.CharField()
    slug = serializers.SlugField(help_text="Names the organization in every URL.")
    role = serializers.ChoiceField(
        [(role.value, role.value.title()) for role in Role],
        help_text="What the caller may do there.",
    )
    time_zone = serializers.CharField()
    default_schema = serializers.CharField()


class OrganizationList(APIView):
    pagination_class = None

    @extend_schema(
        summary="Your organizations",
        responses=OrganizationSerializer(many=True),
        tags=["organizations"],
    )
    def get(self, request: Request) -> Response:
        """Those the person is a member of; with an API key or a token the one it belongs to."""
        user: User | KeyHolder = request.user  # type: ignore[assignment]
        if isinstance(user, KeyHolder):
            found = [(user.key.organization, user.key.role)]
        else:
            rows = Membership.all_organizations.filter(user=user).select_related("organization")
            if isinstance(request.auth, TokenFamily):
                rows = rows.filter(pk=request.auth.membership_id)
            ordered = rows.order_by("organization__name", "pk")
            found = [(row.organization, row.role) for row in ordered]
        return Response(
            [
                {
                    "name": organization.name,
                    "slug": organization.slug,
                    "role": role,
                    "time_zone": organization.time_zone,
                    "default_schema": organization.default_schema,
                }
                for organization, role in found
            ]
        )


class AuditEventList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW_AUDIT}

    @extend_schema(
        summary="The audit log",
        parameters=[AuditQuerySerializer],
        responses=AuditEventSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """What happened in the organization, the newest first. For owners and admins."""
        rows = events_of(self.organization, filters_of(self.query(AuditQuerySerializer)))
        return self.page(rows, AuditEventSerializer, ordering=("-at", "-pk"))


class AuditExport(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW_AUDIT}

    @extend_schema(
        summary="The audit log as a file",
        parameters=[AuditExportSerializer],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Everything that passes the filters, the newest first, made while it is sent. It is an event itself."""
        wanted = self.query(AuditExportSerializer)
        return export_response(
            request._request,
            organization=self.organization,
            actor=self.actor,
            filters=filters_of(wanted),
            shape=Shape(wanted["as"]),
        )


@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    """The API reference, made from the same document that ``schema/`` answers."""
    groups = reference()
    nav: list[NavGroup] = [
        {
            "heading": _("API reference"),
            "items": [
                {
                    "key": group.key,
                    "label": group.title,
                    "icon": _ICONS.get(group.key, "braces"),
                    "url": f"#{group.key}",
                    "count": len(group.operations),
                    "tone": "",
                }
                for group in groups
            ],
        }
    ]
    frame = {**shell(request)["shell"], "nav": nav}
    return render(
        request,
        "api_docs.html",
        {"shell": frame, "groups": groups, "nav_key": " ", "base_url": settings.BASE_URL},
    )


@lru_cache(maxsize=1)
def reference() -> list[Group]:
    """Built once a process: it walks every view and changes only with the code."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return build_groups(cast(dict[str, object], document), settings.BASE_URL)
