"""What a pipeline's loads have left and would touch: cursors, rejected rows, estimates."""

from dataclasses import asdict

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from pipelines import runner, services
from pipelines.api.serializers import (
    CursorInput,
    CursorSerializer,
    DiscardedSerializer,
    DiscardInput,
    EstimateSerializer,
    LoadOptionsInput,
    RejectPageSerializer,
    RejectQuery,
)
from pipelines.api.views import PipelineView
from pipelines.cursors import find_cursor, list_cursors

_TAGS = ["pipelines"]
_RESOURCE = OpenApiParameter("resource", OpenApiTypes.STR, OpenApiParameter.PATH)


class PipelineState(PipelineView):
    required = {"GET": Permission.VIEW}
    pagination_class = None

    @extend_schema(
        summary="List cursors",
        operation_id="pipelines_state_list",
        tags=_TAGS,
        responses=CursorSerializer(many=True),
    )
    def get(self, request: Request, slug: str) -> Response:
        """Where the next run of each resource with a cursor begins, as the destination has it."""
        found = list_cursors(self.pipeline(slug))
        return Response([asdict(one) for one in found])


class PipelineResourceState(PipelineView):
    required = {"GET": Permission.VIEW, "PUT": Permission.EDIT}

    @extend_schema(
        summary="Read a cursor", tags=_TAGS, parameters=[_RESOURCE], responses=CursorSerializer
    )
    def get(self, request: Request, slug: str, resource: str) -> Response:
        """As the destination has it."""
        return Response(asdict(find_cursor(self.pipeline(slug), resource)))

    @extend_schema(
        summary="Set or reset a cursor",
        tags=_TAGS,
        parameters=[_RESOURCE],
        request=CursorInput,
        responses=CursorSerializer,
    )
    def put(self, request: Request, slug: str, resource: str) -> Response:
        """The next run begins behind `value`; what was loaded stays. The answer does not ask the destination."""
        pipeline = self.pipeline(slug)
        sent = self.body(CursorInput)
        state = services.set_cursor(
            pipeline=pipeline,
            actor=self.actor,
            resource=resource,
            value=sent["value"],
            expected=sent.get("expected", ...),
        )
        return Response(asdict(state))


class PipelineRejects(PipelineView):
    # Rows as they stood in the source, hidden columns included.
    required = {"GET": Permission.EDIT}

    @extend_schema(
        summary="List rejected rows",
        tags=_TAGS,
        parameters=[RejectQuery],
        responses=RejectPageSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        """A page of the rows that did not fit, with the reason of each."""
        pipeline = self.pipeline(slug)
        self.actor.require(Permission.RUN, on=pipeline.source)
        return Response(runner.list_rejects(pipeline, **self.query(RejectQuery)))


class PipelineRejectsDiscard(PipelineView):
    required = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Discard rejected rows",
        tags=_TAGS,
        request=DiscardInput,
        responses=DiscardedSerializer,
    )
    def post(self, request: Request, slug: str) -> Response:
        """For good. To try them again instead, start a run with `replay_rejects`."""
        pipeline = self.pipeline(slug)
        sent = self.body(DiscardInput)
        number = services.discard_rejects(pipeline=pipeline, actor=self.actor, ids=sent["ids"])
        return Response({"discarded": number})


class PipelineEstimate(PipelineView):
    required = {"POST": Permission.RUN}
    pagination_class = None

    @extend_schema(
        summary="Estimate a run",
        tags=_TAGS,
        request=LoadOptionsInput,
        responses=EstimateSerializer(many=True),
    )
    def post(self, request: Request, slug: str) -> Response:
        """How many rows it would read and touch, at most ten seconds of counting. Nothing is loaded."""
        pipeline = self.pipeline(slug)
        options = runner.LoadOptions.of(**self.body(LoadOptionsInput))
        return Response(runner.estimate(pipeline, options))
