"""The graph and its drawn dependencies for machines."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.http import get_or_404
from orchestration import services
from orchestration.lineage import explicit_dependencies, lineage_of
from orchestration.models import Dependency
from tenants.api_base import OrganizationAPIView


class DependencySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk", read_only=True)
    upstream = serializers.CharField(
        source="upstream.key", help_text="`pipeline:<slug>` or `transformation:<name>`."
    )
    downstream = serializers.CharField(source="downstream.key", help_text="Waits for `upstream`.")
    created_at = serializers.DateTimeField(read_only=True)


class DependencyCreateSerializer(serializers.Serializer[Dependency]):
    upstream = serializers.CharField(max_length=120)
    downstream = serializers.CharField(max_length=120)


class GraphNodeSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    kind = serializers.ChoiceField(["source", "pipeline", "transformation"])
    name = serializers.CharField(source="label")
    status = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())


class GraphEdgeSerializer(serializers.Serializer[Any]):
    upstream = serializers.CharField()
    downstream = serializers.CharField()
    kind = serializers.ChoiceField(
        ["explicit", "inferred", "source"],
        help_text="Drawn by a person, read from SQL, or a pipeline's own source.",
    )


class GraphSerializer(serializers.Serializer[Any]):
    nodes = GraphNodeSerializer(many=True)
    edges = GraphEdgeSerializer(many=True)


class DependencyList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW, "POST": Permission.EDIT}
    pagination_class = None

    @extend_schema(
        summary="List dependencies",
        responses=DependencySerializer(many=True),
        tags=["dependencies"],
    )
    def get(self, request: Request) -> Response:
        """Those that people drew; the graph also has what SQL implies."""
        rows = explicit_dependencies(self.organization)
        return Response(DependencySerializer(rows, many=True).data)

    @extend_schema(
        summary="Add a dependency",
        request=DependencyCreateSerializer,
        responses={201: DependencySerializer},
        tags=["dependencies"],
    )
    def post(self, request: Request) -> Response:
        """Refused with the path when it would close a circle."""
        dependency = services.add_dependency(
            organization=self.organization,
            actor=self.actor,
            **self.body(DependencyCreateSerializer),
        )
        return Response(DependencySerializer(dependency).data, status=status.HTTP_201_CREATED)


class DependencyDetail(OrganizationAPIView):
    required: ClassVar = {"DELETE": Permission.EDIT}

    @extend_schema(summary="Remove a dependency", responses={204: None}, tags=["dependencies"])
    def delete(self, request: Request, pk: int) -> Response:
        """What SQL implies stays."""
        rows = Dependency.objects.for_organization(self.organization)
        dependency = get_or_404(rows.select_related("organization"), pk=pk)
        services.remove_dependency(dependency=dependency, actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class GraphView(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW}
    pagination_class = None

    @extend_schema(summary="Show the graph", responses=GraphSerializer, tags=["graph"])
    def get(self, request: Request) -> Response:
        """Every source, pipeline and transformation with its state, and all edges between them."""
        found = lineage_of(self.organization)
        return Response(
            {
                "nodes": GraphNodeSerializer(list(found.nodes.values()), many=True).data,
                "edges": [
                    {"upstream": up, "downstream": down, "kind": kind}
                    for (up, down), kind in sorted(found.edges.items())
                ],
            }
        )
