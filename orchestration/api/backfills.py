"""Backfills for machines: plan, start, watch, pause, resume, cancel, repeat what failed."""

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.api import KnownKeys
from common.errors import UserError
from common.http import get_or_404
from orchestration import services
from orchestration.backfill_page import (
    backfills_of,
    find_backfill,
    progress_of,
    shown_status,
    slices_of,
)
from orchestration.models import Backfill, BackfillSlice, BackfillStatus
from pipelines.models import Pipeline
from tenants.api_base import OrganizationAPIView


class ProgressSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    running = serializers.IntegerField()
    waiting = serializers.IntegerField()
    rows_loaded = serializers.IntegerField()


class BackfillSerializer(serializers.ModelSerializer[Backfill]):
    pipeline = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    cursor_from = serializers.CharField(source="range_from")
    cursor_to = serializers.CharField(source="range_to", help_text="Itself not part of the range.")

    class Meta:
        model = Backfill
        fields: tuple[str, ...] = (
            "number",
            "pipeline",
            "resource",
            "cursor_from",
            "cursor_to",
            "slice_size",
            "status",
            "problem",
            "estimated_rows",
            "requested_by",
            "requested_at",
            "finished_at",
        )
        read_only_fields: tuple[str, ...] = fields


class BackfillDetailSerializer(BackfillSerializer):
    progress = serializers.SerializerMethodField()

    class Meta(BackfillSerializer.Meta):
        fields = (*BackfillSerializer.Meta.fields, "progress")
        read_only_fields = fields

    @extend_schema(responses=ProgressSerializer)
    def get_progress(self, backfill: Backfill) -> dict[str, Any]:
        return dict(ProgressSerializer(progress_of(backfill)).data)


class SliceSerializer(serializers.ModelSerializer[BackfillSlice]):
    cursor_from = serializers.CharField(source="range_from")
    cursor_to = serializers.CharField(source="range_to")
    status = serializers.SerializerMethodField(
        help_text="`queued` until its run has begun, then as the run."
    )
    run = serializers.SlugRelatedField[Any](slug_field="number", read_only=True, allow_null=True)

    class Meta:
        model = BackfillSlice
        fields = (
            "position",
            "cursor_from",
            "cursor_to",
            "status",
            "run",
            "attempts",
            "rows_loaded",
            "ended_at",
        )
        read_only_fields = fields

    def get_status(self, one: BackfillSlice) -> str:
        shown = shown_status(one)
        return "succeeded" if shown == "warning" else shown


class BackfillQuerySerializer(serializers.Serializer[Any]):
    pipeline = serializers.CharField(required=False, default="", help_text="A pipeline's slug.")
    status = serializers.ChoiceField(BackfillStatus.choices, required=False, default="")


class BackfillCreateSerializer(KnownKeys):
    pipeline = serializers.CharField(max_length=120, help_text="The pipeline's slug.")
    resource = serializers.CharField(max_length=255, help_text="A table of it that has a cursor.")
    cursor_from = serializers.CharField(max_length=255, help_text="Where the range begins.")
    cursor_to = serializers.CharField(
        max_length=255, help_text="Where it ends; this value itself is not part of it."
    )
    slice_size = serializers.CharField(
        max_length=32, help_text="`1 day`, `6 hours`, `1 month`, or a number."
    )


class BackfillPreviewSerializer(BackfillCreateSerializer):
    estimate = serializers.BooleanField(
        required=False,
        default=True,
        help_text="Count the rows of the range, which asks both ends for half a minute at most.",
    )


class RangeSerializer(serializers.Serializer[Any]):
    cursor_from = serializers.CharField()
    cursor_to = serializers.CharField()


class BackfillPlanSerializer(serializers.Serializer[Any]):
    slices = RangeSerializer(many=True)
    source_rows = serializers.IntegerField(
        allow_null=True, help_text="Rows of the range at the source; null where nobody counted."
    )
    target_rows = serializers.IntegerField(
        allow_null=True, help_text="Rows of the range that would be replaced."
    )
    problem = serializers.CharField(help_text="Why the rows could not be counted, or empty.")


class _BackfillView(OrganizationAPIView):
    """What views of backfills share."""

    required: ClassVar[dict[str, Permission]] = {}
    grantable = "backfill"

    def asked(self, serializer: type[BackfillCreateSerializer]) -> dict[str, Any]:
        """The body, with the pipeline it names."""
        data = dict(self.body(serializer))
        rows = Pipeline.objects.for_organization(self.organization)
        rows = rows.select_related("source", "destination", "organization")
        return {**data, "pipeline": get_or_404(rows, slug=data["pipeline"])}

    def change(self, number: int, service: Callable[..., Backfill]) -> Response:
        backfill = service(backfill=find_backfill(self.organization, number), actor=self.actor)
        return Response(BackfillDetailSerializer(backfill).data)


class BackfillList(_BackfillView):
    required: ClassVar = {"GET": Permission.VIEW, "POST": Permission.RUN}
    grantable = "named pipeline"

    @extend_schema(
        summary="List backfills",
        parameters=[BackfillQuerySerializer],
        responses=BackfillSerializer(many=True),
        tags=["backfills"],
    )
    def get(self, request: Request) -> Response:
        """The newest first."""
        wanted = self.query(BackfillQuerySerializer)
        rows = backfills_of(self.organization, pipeline=wanted["pipeline"])
        if wanted["status"]:
            rows = rows.filter(status=wanted["status"])
        return self.page(rows, BackfillSerializer, ordering="-number")

    @extend_schema(
        summary="Start a backfill",
        request=BackfillCreateSerializer,
        responses={201: BackfillDetailSerializer},
        tags=["backfills"],
    )
    def post(self, request: Request) -> Response:
        """Deletes and loads again the half-open range, one slice after the other, each a run."""
        backfill = services.request_backfill(
            organization=self.organization, actor=self.actor, **self.asked(BackfillCreateSerializer)
        )
        data = BackfillDetailSerializer(backfill).data
        return Response(data, status=status.HTTP_201_CREATED)


class BackfillPreview(_BackfillView):
    required: ClassVar = {"POST": Permission.RUN}
    grantable = "named pipeline"

    @extend_schema(
        summary="Preview a backfill",
        request=BackfillPreviewSerializer,
        responses=BackfillPlanSerializer,
        tags=["backfills"],
    )
    def post(self, request: Request) -> Response:
        """The slices it would have and the rows they hold; nothing is started."""
        data = self.asked(BackfillPreviewSerializer)
        wants_estimate = data.pop("estimate")
        plan = services.plan_backfill(**data)
        answer: dict[str, Any] = {"source_rows": None, "target_rows": None, "problem": ""}
        if wants_estimate:
            try:
                answer |= vars(services.estimate_backfill(plan))
            except UserError as error:
                answer["problem"] = str(error)
        slices = [{"cursor_from": one.begin, "cursor_to": one.end} for one in plan.slices]
        return Response(BackfillPlanSerializer({**answer, "slices": slices}).data)


class BackfillDetail(_BackfillView):
    required: ClassVar = {"GET": Permission.VIEW}

    @extend_schema(
        summary="Show a backfill", responses=BackfillDetailSerializer, tags=["backfills"]
    )
    def get(self, request: Request, number: int) -> Response:
        """With its progress; the slices are at `slices/`."""
        backfill = find_backfill(self.organization, number)
        return Response(BackfillDetailSerializer(backfill).data)


class BackfillSlices(_BackfillView):
    required: ClassVar = {"GET": Permission.VIEW}

    @extend_schema(summary="List slices", responses=SliceSerializer(many=True), tags=["backfills"])
    def get(self, request: Request, number: int) -> Response:
        """In the order of the range, each with its newest run."""
        rows = slices_of(find_backfill(self.organization, number))
        return self.page(rows, SliceSerializer, ordering="position")


class BackfillPause(_BackfillView):
    required: ClassVar = {"POST": Permission.RUN}

    @extend_schema(
        summary="Pause a backfill",
        request=None,
        responses=BackfillDetailSerializer,
        tags=["backfills"],
    )
    def post(self, request: Request, number: int) -> Response:
        """The slice that runs goes on to its end; no further one starts."""
        return self.change(number, services.pause_backfill)


class BackfillResume(_BackfillView):
    required: ClassVar = {"POST": Permission.RUN}

    @extend_schema(
        summary="Resume a backfill",
        request=None,
        responses=BackfillDetailSerializer,
        tags=["backfills"],
    )
    def post(self, request: Request, number: int) -> Response:
        return self.change(number, services.resume_backfill)


class BackfillCancel(_BackfillView):
    required: ClassVar = {"POST": Permission.RUN}

    @extend_schema(
        summary="Cancel a backfill",
        request=None,
        responses=BackfillDetailSerializer,
        tags=["backfills"],
    )
    def post(self, request: Request, number: int) -> Response:
        """The run of the slice that runs is cancelled too; what is loaded stays."""
        return self.change(number, services.cancel_backfill)


class BackfillRetry(_BackfillView):
    required: ClassVar = {"POST": Permission.RUN}

    @extend_schema(
        summary="Repeat failed slices",
        request=None,
        responses=BackfillDetailSerializer,
        tags=["backfills"],
    )
    def post(self, request: Request, number: int) -> Response:
        """Only the slices that failed or were cancelled are loaded again."""
        return self.change(number, services.retry_backfill)
