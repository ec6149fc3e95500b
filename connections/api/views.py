"""Connections, their types and the organization's files over REST. No answer ever holds a secret."""

from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.bodies import takes_files
from common.http import get_or_404
from connections import checks, restrictions, runner, selectors, services, usage
from connections.api.serializers import (
    CatalogQuery,
    CatalogSerializer,
    CheckSerializer,
    ConnectionDetailSerializer,
    ConnectionInput,
    ConnectionPatch,
    ConnectionQuery,
    ConnectionSerializer,
    ConnectorSerializer,
    FileSerializer,
    SettingsInput,
    TableQuery,
    TableSerializer,
    as_check,
    as_detail,
    as_file,
)
from connections.boundaries import check_shown
from connections.connectors.registry import get_connector
from connections.errors import FileRefused
from connections.models import Connection
from tenants.api_base import GrantDetail, GrantList, OrganizationAPIView

CONNECTIONS, CONNECTORS, FILES = ["connections"], ["connectors"], ["files"]


class ConnectionView(OrganizationAPIView):
    """What the views of one connection share."""

    required: ClassVar[dict[str, Permission]] = {}
    grantable = "connection"

    def connection(self, slug: str) -> Connection:
        rows = Connection.objects.for_organization(self.organization)
        return get_or_404(rows.select_related("organization"), slug=slug)


class ConnectionList(OrganizationAPIView):
    required = {"GET": Permission.VIEW, "POST": Permission.EDIT}

    @extend_schema(
        summary="List connections",
        parameters=[ConnectionQuery],
        responses=ConnectionSerializer(many=True),
        tags=CONNECTIONS,
    )
    def get(self, request: Request) -> Response:
        """By name; ``q`` looks into the name, ``role`` keeps those that can be used so."""
        asked = self.query(ConnectionQuery)
        rows = Connection.objects.for_organization(self.organization)
        if text := asked.get("q"):
            rows = rows.filter(name__icontains=text)
        rows = selectors.by_role(rows, asked.get("role", ""))
        return self.page(rows, ConnectionSerializer, ordering=("name", "pk"))

    @extend_schema(
        summary="Create a connection",
        request=ConnectionInput,
        responses={201: ConnectionDetailSerializer},
        tags=CONNECTIONS,
    )
    def post(self, request: Request) -> Response:
        """Works while the system is down; check it afterwards."""
        sent = self.body(ConnectionInput)
        connection = services.create_connection(
            organization=self.organization,
            actor=self.actor,
            name=sent["name"],
            connector=sent["connector"],
            values={**sent["config"], **sent["secrets"]},
            use_as=sent["use_as"],
        )
        return Response(as_detail(connection, []), status=status.HTTP_201_CREATED)


class ConnectionDetail(ConnectionView):
    required = {
        "GET": Permission.VIEW,
        "PATCH": Permission.EDIT,
        "DELETE": Permission.EDIT,
    }

    @extend_schema(
        summary="Get a connection", responses=ConnectionDetailSerializer, tags=CONNECTIONS
    )
    def get(self, request: Request, slug: str) -> Response:
        """With the stages of its last check and what uses it."""
        connection = self.connection(slug)
        return Response(as_detail(connection, usage.uses_for(self.actor, connection)))

    @extend_schema(
        summary="Change a connection",
        request=ConnectionPatch,
        responses=ConnectionDetailSerializer,
        tags=CONNECTIONS,
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Settings left out stay. Stored secrets stay too, unless the server changes."""
        connection = self.connection(slug)
        sent = self.body(ConnectionPatch, partial=True)
        values = {**connection.config, **sent.get("config", {}), **sent.get("secrets", {})}
        services.update_connection(
            connection=connection,
            actor=self.actor,
            name=sent.get("name", connection.name),
            values=values,
            use_as=sent.get("use_as", ""),
        )
        return Response(as_detail(connection, usage.uses_for(self.actor, connection)))

    @extend_schema(summary="Delete a connection", responses={204: None}, tags=CONNECTIONS)
    def delete(self, request: Request, slug: str) -> Response:
        """Refused with 409 while a pipeline or transformation uses it."""
        connection = self.connection(slug)
        users = [use.name for use in usage.uses_for(self.actor, connection)]
        services.delete_connection(connection=connection, actor=self.actor, users=users)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ConnectionCheck(ConnectionView):
    required = {"POST": Permission.RUN}

    @extend_schema(
        summary="Check a connection", request=None, responses=CheckSerializer, tags=CONNECTIONS
    )
    def post(self, request: Request, slug: str) -> Response:
        """Tries it stage by stage and keeps how it went. A failed stage is an answer, not an error."""
        connection = self.connection(slug)
        stages = services.check_connection(connection=connection, actor=self.actor)
        return Response(as_check(connection.check_status, stages))


class ConnectionDiscover(ConnectionView):
    required = {"GET": Permission.VIEW}

    @extend_schema(
        summary="List tables or files",
        parameters=[CatalogQuery],
        responses=CatalogSerializer,
        tags=CONNECTIONS,
    )
    def get(self, request: Request, slug: str) -> Response:
        """A page of what stands in the system; ``next`` is the ``after`` of the page behind."""
        found = runner.discover(self.connection(slug), **self.query(CatalogQuery))
        return Response(CatalogSerializer(found).data)


class ConnectionDescribe(ConnectionView):
    required = {"GET": Permission.VIEW}

    @extend_schema(
        summary="Describe a table",
        parameters=[TableQuery],
        responses=TableSerializer,
        tags=CONNECTIONS,
    )
    def get(self, request: Request, slug: str) -> Response:
        """Columns and primary key of one table or file."""
        connection, asked = self.connection(slug), self.query(TableQuery)
        check_shown(connection, asked["table"], self.actor)
        table = runner.describe(connection, **asked)
        return Response(TableSerializer(table).data)


class ConnectionGrants(GrantList):
    model = Connection


class ConnectionGrant(GrantDetail):
    model = Connection


class ConnectorList(OrganizationAPIView):
    required = {"GET": Permission.VIEW}
    pagination_class = None

    @extend_schema(
        summary="List connector types", responses=ConnectorSerializer(many=True), tags=CONNECTORS
    )
    def get(self, request: Request) -> Response:
        """Every type that is offered here, with what it can do and the fields of its ``config`` and ``secrets``."""
        offered = restrictions.offered_connectors()
        return Response(ConnectorSerializer(offered, many=True).data)


class ConnectorCheck(OrganizationAPIView):
    required = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Check settings without saving",
        request=SettingsInput,
        responses=CheckSerializer,
        tags=CONNECTORS,
    )
    def post(self, request: Request, connector: str) -> Response:
        sent = self.body(SettingsInput)
        result = checks.check_unsaved(
            organization=self.organization,
            actor=self.actor,
            connector=get_connector(connector).key,
            values={**sent["config"], **sent["secrets"]},
            use_as=sent["use_as"],
        )
        return Response(as_check(services.status_of(result.stages), result.stages))


@takes_files(restrictions.max_upload_bytes)
class FileList(OrganizationAPIView):
    required = {"GET": Permission.VIEW, "POST": Permission.EDIT}
    pagination_class = None
    parser_classes = [MultiPartParser]

    @extend_schema(summary="List files", responses=FileSerializer(many=True), tags=FILES)
    def get(self, request: Request) -> Response:
        return Response([as_file(file) for file in services.list_files(self.organization)])

    @extend_schema(
        summary="Upload a file",
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
            }
        },
        responses={201: FileSerializer},
        tags=FILES,
    )
    def post(self, request: Request) -> Response:
        """A file of the same name is replaced. Its ``path`` goes into the config of a connection."""
        file: Any = request.FILES.get("file")
        if not isinstance(file, UploadedFile):
            raise FileRefused("No file was sent.", field="file", remedy="Send it as “file”.")
        path = services.store_upload(
            organization=self.organization,
            actor=self.actor,
            name=file.name or "",
            content=file,
            size=file.size or 0,
        )
        stored = next(f for f in services.list_files(self.organization) if f["path"] == path)
        return Response(as_file(stored), status=status.HTTP_201_CREATED)


class FileDetail(OrganizationAPIView):
    required = {"DELETE": Permission.EDIT}

    @extend_schema(
        summary="Delete a file",
        parameters=[OpenApiParameter("name", OpenApiTypes.STR, OpenApiParameter.PATH)],
        responses={204: None},
        tags=FILES,
    )
    def delete(self, request: Request, name: str) -> Response:
        services.delete_file(organization=self.organization, actor=self.actor, name=name)
        return Response(status=status.HTTP_204_NO_CONTENT)
