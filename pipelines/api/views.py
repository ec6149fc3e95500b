"""Pipelines as JSON: the whole definition in and out, the same keys as in YAML."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.errors import NotFound
from common.http import get_or_404
from connections.models import Connection
from pipelines import services
from pipelines.api.serializers import PipelineSerializer, as_json
from pipelines.definition import PipelineDefinition
from pipelines.errors import InvalidPipeline
from pipelines.models import Pipeline
from pipelines.selectors import list_pipelines
from tenants.api_base import GrantDetail, GrantList, OrganizationAPIView

_TAGS = ["pipelines"]
_ENDS = ("source", "destination")


def _split(data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The definition and the ends of a request's JSON."""
    if not isinstance(data, dict):
        raise InvalidPipeline("A JSON object is needed.")
    ends = {key: data[key] for key in _ENDS if key in data}
    return {key: value for key, value in data.items() if key not in _ENDS}, ends


class PipelineList(OrganizationAPIView):
    required = {"GET": Permission.VIEW, "POST": Permission.EDIT}

    @extend_schema(
        summary="List pipelines",
        tags=_TAGS,
        parameters=[
            OpenApiParameter("q", str, description="Part of a name, a schema or a connection."),
            OpenApiParameter("tag", str, description="Only those that have this tag."),
        ],
        responses=PipelineSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """By name, a page at a time."""
        query = request.query_params
        rows = list_pipelines(self.organization, text=query.get("q", ""), tag=query.get("tag", ""))
        return self.page(rows, PipelineSerializer, ordering=("name", "pk"))

    @extend_schema(
        summary="Create a pipeline",
        tags=_TAGS,
        request=PipelineSerializer,
        responses={201: PipelineSerializer},
    )
    def post(self, request: Request) -> Response:
        """With its whole definition; nothing runs yet."""
        data, ends = _split(request.data)
        pipeline = services.create_pipeline(
            organization=self.organization,
            actor=self.actor,
            source=self._connection("source", ends),
            destination=self._connection("destination", ends),
            definition=PipelineDefinition.parse(data),
        )
        return Response(as_json(pipeline), status=201)

    def _connection(self, name: str, ends: dict[str, Any]) -> Connection:
        rows = Connection.objects.for_organization(self.organization)
        try:
            return get_or_404(rows, slug=str(ends.get(name) or ""))
        except NotFound:
            raise InvalidPipeline(
                f"There is no connection {ends.get(name)!r}.",
                field=name,
                remedy="Name a connection of this organization by its slug.",
            ) from None


class PipelineView(OrganizationAPIView):
    """What every page of one pipeline shares."""

    required = {}
    grantable = "pipeline"

    def pipeline(self, slug: str) -> Pipeline:
        rows = Pipeline.objects.for_organization(self.organization)
        return get_or_404(rows.select_related("source", "destination"), slug=slug)


class PipelineDetail(PipelineView):
    required = {
        "GET": Permission.VIEW,
        "PUT": Permission.EDIT,
        "PATCH": Permission.EDIT,
        "DELETE": Permission.EDIT,
    }

    @extend_schema(summary="Read a pipeline", tags=_TAGS, responses=PipelineSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(as_json(self.pipeline(slug)))

    @extend_schema(
        summary="Replace a pipeline's definition",
        tags=_TAGS,
        request=PipelineSerializer,
        responses=PipelineSerializer,
    )
    def put(self, request: Request, slug: str) -> Response:
        """The whole definition; source, destination, mode and dataset have to stay."""
        data, ends = _split(request.data)
        return self._update(self.pipeline(slug), data, ends)

    @extend_schema(
        summary="Change a pipeline",
        tags=_TAGS,
        request=PipelineSerializer(partial=True),
        responses=PipelineSerializer,
    )
    def patch(self, request: Request, slug: str) -> Response:
        """The keys given; `resources` is replaced as a whole."""
        data, ends = _split(request.data)
        pipeline = self.pipeline(slug)
        return self._update(pipeline, {**services.definition_of(pipeline).as_dict(), **data}, ends)

    def _update(self, pipeline: Pipeline, data: dict[str, Any], ends: dict[str, Any]) -> Response:
        services.check_ends(pipeline, ends)
        updated = services.update_pipeline(
            pipeline=pipeline, actor=self.actor, definition=PipelineDefinition.parse(data)
        )
        return Response(as_json(updated))

    @extend_schema(summary="Delete a pipeline", tags=_TAGS, responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Into the trash; the loaded tables stay."""
        services.delete_pipeline(pipeline=self.pipeline(slug), actor=self.actor)
        return Response(status=204)


class PipelinePause(PipelineView):
    required = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Pause a pipeline", tags=_TAGS, request=None, responses=PipelineSerializer
    )
    def post(self, request: Request, slug: str) -> Response:
        """Schedules and runs of the whole graph skip it from now on."""
        pipeline = self.pipeline(slug)
        services.set_paused(pipeline=pipeline, actor=self.actor, paused=True)
        return Response(as_json(pipeline))


class PipelineResume(PipelineView):
    required = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Resume a pipeline", tags=_TAGS, request=None, responses=PipelineSerializer
    )
    def post(self, request: Request, slug: str) -> Response:
        pipeline = self.pipeline(slug)
        services.set_paused(pipeline=pipeline, actor=self.actor, paused=False)
        return Response(as_json(pipeline))


class PipelineGrants(GrantList):
    model = Pipeline


class PipelineGrant(GrantDetail):
    model = Pipeline
