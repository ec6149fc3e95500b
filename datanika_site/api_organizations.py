"""One organization for machines: its settings, its end, and who it belongs to."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.api import KnownKeys
from common.http import get_or_404
from tenants import selectors, services
from tenants.api_base import OrganizationAPIView
from tenants.models import Organization

_TAGS = ["organizations"]


class OrganizationSettingsSerializer(serializers.ModelSerializer[Organization]):
    is_at_rest = serializers.BooleanField(
        help_text="Suspended or deleted: it may be read, nothing of it runs or changes."
    )

    class Meta:
        model = Organization
        fields = (
            "name",
            "slug",
            "time_zone",
            "default_schema",
            "max_concurrent_runs",
            "created_at",
            "is_at_rest",
            "suspended_at",
            "suspended_reason",
            "deletion_requested_at",
            "delete_after",
        )
        read_only_fields = fields


class OrganizationUpdateSerializer(KnownKeys):
    name = serializers.CharField(max_length=80, required=False)
    time_zone = serializers.CharField(max_length=64, required=False)
    default_schema = serializers.CharField(max_length=63, required=False)


class DeletionSerializer(KnownKeys):
    confirmation = serializers.CharField(max_length=80, help_text="The name of the organization.")


class HandOverSerializer(KnownKeys):
    member = serializers.IntegerField(help_text="The id of the member who becomes an owner.")


class OrganizationDetail(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW, "PATCH": Permission.MANAGE_ORGANIZATION}

    @extend_schema(
        summary="Show an organization", responses=OrganizationSettingsSerializer, tags=_TAGS
    )
    def get(self, request: Request) -> Response:
        return Response(OrganizationSettingsSerializer(self.organization).data)

    @extend_schema(
        summary="Change an organization",
        request=OrganizationUpdateSerializer,
        responses=OrganizationSettingsSerializer,
        tags=_TAGS,
    )
    def patch(self, request: Request) -> Response:
        """Its slug stays when it is renamed, so that addresses go on working."""
        kept = ("name", "time_zone", "default_schema")
        values: dict[str, Any] = {name: getattr(self.organization, name) for name in kept}
        values |= self.body(OrganizationUpdateSerializer, partial=True)
        changed = services.update_organization(
            organization=self.organization, actor=self.actor, **values
        )
        return Response(OrganizationSettingsSerializer(changed).data)


class Deletion(OrganizationAPIView):
    required: ClassVar = {
        "POST": Permission.OWN_ORGANIZATION,
        "DELETE": Permission.OWN_ORGANIZATION,
    }
    at_rest: ClassVar = ("DELETE",)

    @extend_schema(
        summary="Delete an organization",
        request=DeletionSerializer,
        responses=OrganizationSettingsSerializer,
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """What runs is cancelled and everything rests until `delete_after`, when it is gone for good."""
        changed = services.delete_organization(
            organization=self.organization, actor=self.actor, **self.body(DeletionSerializer)
        )
        return Response(OrganizationSettingsSerializer(changed).data)

    @extend_schema(
        summary="Restore an organization", responses=OrganizationSettingsSerializer, tags=_TAGS
    )
    def delete(self, request: Request) -> Response:
        """Takes the deletion back; works until `delete_after`."""
        changed = services.restore_organization(organization=self.organization, actor=self.actor)
        return Response(OrganizationSettingsSerializer(changed).data)


class HandOver(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.OWN_ORGANIZATION}

    @extend_schema(
        summary="Hand an organization over",
        request=HandOverSerializer,
        responses={204: None},
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """The member becomes an owner and the caller an admin. A person does this, not a key."""
        pk = self.body(HandOverSerializer)["member"]
        membership = get_or_404(selectors.members_of(self.organization), pk=pk)
        services.hand_over(organization=self.organization, membership=membership, actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Leave(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.BELONG}
    at_rest: ClassVar = ("POST",)

    @extend_schema(summary="Leave an organization", request=None, responses={204: None}, tags=_TAGS)
    def post(self, request: Request) -> Response:
        """The caller is no longer a member. A person does this, not a key; the last owner cannot."""
        services.leave(organization=self.organization, actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)
