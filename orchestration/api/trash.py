"""The trash for machines."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from orchestration import services
from tenants.api_base import OrganizationAPIView


class TrashEntrySerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["connection", "pipeline", "schedule", "transformation"])
    id = serializers.IntegerField(source="row.pk")
    name = serializers.CharField(source="row.name")
    deleted_at = serializers.DateTimeField(source="row.deleted_at")
    purged_at = serializers.DateTimeField(
        allow_null=True, help_text="From then on it is removed for good; null means never."
    )


class TrashList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW}
    pagination_class = None

    @extend_schema(summary="List the trash", responses=TrashEntrySerializer(many=True))
    def get(self, request: Request) -> Response:
        """What was deleted, the newest first."""
        return Response(TrashEntrySerializer(services.in_trash(self.organization), many=True).data)


class TrashEntry(OrganizationAPIView):
    required: ClassVar = {"DELETE": Permission.MANAGE_ORGANIZATION}

    @extend_schema(summary="Remove for good", responses={204: None})
    def delete(self, request: Request, kind: str, pk: int) -> Response:
        """It cannot be restored any more. Its runs stay, and so do tables in warehouses."""
        row = services.find_in_trash(self.organization, kind, pk)
        services.purge_from_trash(kind=kind, row=row, actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TrashRestore(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.EDIT}
    grantable = "trash"

    @extend_schema(summary="Restore from the trash", request=None, responses={204: None})
    def post(self, request: Request, kind: str, pk: int) -> Response:
        """A slug that is taken by now gets a number. Schedules that were paused with it stay so."""
        row = services.find_in_trash(self.organization, kind, pk)
        services.restore_from_trash(kind=kind, row=row, actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)
