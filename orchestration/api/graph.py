"""The graph and its drawn dependencies for machines."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.api import KnownKeys
from common.errors import NotFound
from common.http import get_or_404
from orchestration import services
from orchestration.graph import find_thing
from orchestration.lineage import explicit_dependencies, lineage_of
from orchestration.models import Dependency, UpstreamRule
from orchestration.preview import Preview, preview_of
from orchestration.requests import DAG
from tenants.api_base import OrganizationAPIView

_WINDOW = (
    "The freshness window: a run without `upstream` fails at this step unless `upstream` has succeeded this"
    " recently; null asks for nothing."
)
_RULE = (
    "Of `downstream`, for all its upstreams in a run: `all_succeeded`, `any_succeeded` (once all have ended),"
    " `all_finished` (however they ended)."
)


class DependencySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk", read_only=True)
    upstream = serializers.CharField(
        source="upstream.key", help_text="`pipeline:<slug>` or `transformation:<name>`."
    )
    downstream = serializers.CharField(source="downstream.key", help_text="Waits for `upstream`.")
    max_age_seconds = serializers.IntegerField(allow_null=True, help_text=_WINDOW)
    rule = serializers.ChoiceField(UpstreamRule.choices, source="downstream.rule", help_text=_RULE)
    created_at = serializers.DateTimeField(read_only=True)


class DependencyCreateSerializer(KnownKeys):
    upstream = serializers.CharField(max_length=120)
    downstream = serializers.CharField(max_length=120)
    max_age_seconds = serializers.IntegerField(
        required=False, allow_null=True, default=None, help_text=_WINDOW
    )
    rule = serializers.ChoiceField(
        UpstreamRule.choices, required=False, default="", help_text=_RULE
    )


class DependencyUpdateSerializer(KnownKeys):
    max_age_seconds = serializers.IntegerField(allow_null=True, help_text=_WINDOW)


class NodeUpdateSerializer(KnownKeys):
    rule = serializers.ChoiceField(UpstreamRule.choices, help_text=_RULE)


class NodeSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    rule = serializers.ChoiceField(UpstreamRule.choices)


class GraphNodeSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    kind = serializers.ChoiceField(["source", "pipeline", "transformation"])
    name = serializers.CharField(source="label")
    status = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    rule = serializers.ChoiceField(UpstreamRule.choices, help_text="Of its upstreams in a run.")


class GraphEdgeSerializer(serializers.Serializer[Any]):
    upstream = serializers.CharField()
    downstream = serializers.CharField()
    kind = serializers.ChoiceField(
        ["explicit", "inferred", "source"],
        help_text="Drawn by a person, read from SQL, or a pipeline's own source.",
    )
    max_age_seconds = serializers.IntegerField(allow_null=True, help_text=_WINDOW)


class GraphSerializer(serializers.Serializer[Any]):
    nodes = GraphNodeSerializer(many=True)
    edges = GraphEdgeSerializer(many=True)


class SelectionStepSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(
        help_text="From 1, in an order that runs every upstream first."
    )
    nodes = serializers.ListField(child=serializers.CharField())
    waits_for = serializers.ListField(child=serializers.IntegerField())


class SelectionSerializer(serializers.Serializer[Any]):
    """What a run of this target and selection would do now."""

    steps = SelectionStepSerializer(many=True)
    paused = serializers.ListField(
        child=serializers.CharField(), help_text="Selected, and left out because they are paused."
    )
    stale = serializers.ListField(
        child=serializers.CharField(), help_text="Freshness windows that are not kept now."
    )


class SelectionQuerySerializer(serializers.Serializer[Any]):
    target = serializers.CharField(
        required=False,
        default=DAG,
        help_text="`pipeline:<slug>`, `transformation:<name>` or `dag`, which is the default.",
    )
    select = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=500, help_text="As for a run."
    )


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
    required: ClassVar = {"PATCH": Permission.EDIT, "DELETE": Permission.EDIT}

    @extend_schema(
        summary="Change a dependency's freshness window",
        request=DependencyUpdateSerializer,
        responses=DependencySerializer,
        tags=["dependencies"],
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Runs that were requested before keep what they had."""
        dependency = services.update_dependency(
            dependency=self._dependency(pk),
            actor=self.actor,
            **self.body(DependencyUpdateSerializer),
        )
        return Response(DependencySerializer(dependency).data)

    @extend_schema(summary="Remove a dependency", responses={204: None}, tags=["dependencies"])
    def delete(self, request: Request, pk: int) -> Response:
        """What SQL implies stays."""
        services.remove_dependency(dependency=self._dependency(pk), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _dependency(self, pk: int) -> Dependency:
        rows = Dependency.objects.for_organization(self.organization)
        found: Dependency = get_or_404(
            rows.select_related("organization", "upstream", "downstream"), pk=pk
        )
        return found


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
                    {
                        "upstream": edge[0],
                        "downstream": edge[1],
                        "kind": kind,
                        "max_age_seconds": found.windows.get(edge),
                    }
                    for edge, kind in sorted(found.edges.items())
                ],
            }
        )


class GraphNodeDetail(OrganizationAPIView):
    required: ClassVar = {"PATCH": Permission.EDIT}
    grantable = "node"

    @extend_schema(
        summary="Change a node's rule",
        request=NodeUpdateSerializer,
        responses=NodeSerializer,
        tags=["graph"],
    )
    def patch(self, request: Request, key: str) -> Response:
        """`key` is `pipeline:<slug>` or `transformation:<name>`. Runs that were requested before keep what they had."""
        if find_thing(self.organization, key) is None:
            raise NotFound(f"There is no {key!r} in this organization.", field="key")
        node = services.set_rule(
            organization=self.organization,
            actor=self.actor,
            key=key,
            **self.body(NodeUpdateSerializer),
        )
        return Response(NodeSerializer(node).data)


class GraphSelection(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW}
    pagination_class = None

    @extend_schema(
        summary="Preview a selection",
        parameters=[
            OpenApiParameter("target", str, description="As for a run; `dag` is the default."),
            OpenApiParameter("select", str, description="As for a run."),
        ],
        responses=SelectionSerializer,
        tags=["graph"],
    )
    def get(self, request: Request) -> Response:
        """What a run of it would do, step by step; nothing is started."""
        asked = self.query(SelectionQuerySerializer)
        found = preview_of(self.organization, asked["target"], asked["select"])
        return Response(_as_json(found))


def _as_json(found: Preview) -> dict[str, Any]:
    return {
        "steps": [
            {
                "number": step.number,
                "nodes": [node.key for node in step.nodes],
                "waits_for": step.waits,
            }
            for step in found.steps
        ],
        "paused": [node.key for node in found.paused],
        "stale": [error.message for error in found.stale],
    }
