"""Runs for machines: the list, starting, cancelling, repeating, logs and steps."""

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.api import KnownKeys
from common.errors import UserError
from orchestration import services
from orchestration.api.run_logs import RunView
from orchestration.capsules import capsule_of, with_cursors
from orchestration.engine.waiting import tell
from orchestration.models import Run, RunStep, RunStepAttempt, RunStepResult, Status, Trigger
from orchestration.run_attempts import attempts_of
from orchestration.run_filters import PERIODS, RunFilter, runs_of
from orchestration.selectors import results_of, steps_of
from tenants.api_base import OrganizationAPIView

LONGEST_KEY = 80


class CursorRangeSerializer(serializers.Serializer[Any]):
    """Deleted and loaded again; the end itself is not part of it."""

    to = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" is no name in Python.
        return {"from": serializers.CharField(), **super().get_fields()}


class RunOptionsSerializer(serializers.Serializer[Any]):
    """What the target's pipeline was asked to do differently; empty for a usual run."""

    full_refresh = serializers.BooleanField(required=False)
    resources = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Only these."
    )
    cursor_range = CursorRangeSerializer(required=False, allow_null=True)
    replay_rejects = serializers.BooleanField(required=False)


class RunSerializer(serializers.ModelSerializer[Run]):
    options = serializers.SerializerMethodField()
    schedule = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True, allow_null=True)
    retry_of = serializers.SlugRelatedField[Any](
        slug_field="number", read_only=True, allow_null=True
    )
    after = serializers.SlugRelatedField[Any](
        slug_field="number",
        read_only=True,
        allow_null=True,
        help_text="It starts when that run has ended.",
    )
    backfill = serializers.SlugRelatedField[Any](
        slug_field="number", read_only=True, allow_null=True
    )

    class Meta:
        model = Run
        fields = (
            "number",
            "target",
            "title",
            "select",
            "full_refresh",
            "options",
            "status",
            "has_warnings",
            "trigger",
            "requested_by",
            "requested_at",
            "scheduled_for",
            "schedule",
            "retry_of",
            "after",
            "backfill",
            "started_at",
            "finished_at",
            "cancel_requested_at",
            "cancelled_by",
            "error",
            "error_remedy",
            "rows_loaded",
        )
        read_only_fields = fields

    @extend_schema_field(RunOptionsSerializer)
    def get_options(self, run: Run) -> dict[str, Any]:
        options: dict[str, Any] = run.options
        return options


class RunDetailSerializer(RunSerializer):
    capsule = serializers.SerializerMethodField(
        help_text="What was run exactly: definitions, connections with fingerprints of their secrets, versions, "
        "the hashes of dlt's schemas and dbt's projects, cursors before and after."
    )

    class Meta(RunSerializer.Meta):
        fields = (*RunSerializer.Meta.fields, "capsule")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_capsule(self, run: Run) -> dict[str, Any]:
        return with_cursors(run, capsule_of(run))


class RunQuerySerializer(serializers.Serializer[Run]):
    status = serializers.ChoiceField(
        ["active", "warning", *Status.values],
        required=False,
        default="",
        help_text="A status; `active` is queued or running, `warning` a success with warnings.",
    )
    kind = serializers.ChoiceField(
        ["pipeline", "transformation", "dag"], required=False, default=""
    )
    target = serializers.CharField(
        required=False,
        default="",
        help_text="Runs in which `pipeline:<slug>`, `transformation:<name>`, `connection:<slug>`, "
        "`schedule:<slug>`, `backfill:<number>` or `dag` had a part.",
    )
    q = serializers.CharField(
        required=False, default="", help_text="Part of a title, a person or an error, or a number."
    )
    period = serializers.ChoiceField(list(PERIODS), required=False, default="")
    since = serializers.DateTimeField(
        required=False, default=None, help_text="Requested at this moment or later."
    )
    until = serializers.DateTimeField(
        required=False, default=None, help_text="Requested before this moment."
    )
    person = serializers.CharField(
        required=False, default="", help_text="Part of the name of who started it."
    )
    trigger = serializers.ChoiceField(Trigger.choices, required=False, default="")
    tag = serializers.CharField(
        required=False, default="", help_text="A tag of a pipeline or transformation with a part."
    )


class RunCreateSerializer(KnownKeys):
    target = serializers.CharField(
        max_length=120, help_text="`pipeline:<slug>`, `transformation:<name>` or `dag`."
    )
    select = serializers.CharField(
        max_length=500,
        required=False,
        default="",
        allow_blank=True,
        help_text="Narrows or widens it: `+slug+`, `tag:nightly`, separated by blanks.",
    )
    full_refresh = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Everything anew, whatever was loaded and built before.",
    )
    tables = serializers.ListField(
        child=serializers.CharField(max_length=255),
        required=False,
        default=list,
        help_text="Names of resources of the pipeline; empty is all of them.",
    )
    cursor_from = serializers.CharField(
        max_length=255,
        required=False,
        default="",
        allow_blank=True,
        help_text="Where a range of one table's cursor begins that is deleted and loaded again.",
    )
    cursor_to = serializers.CharField(
        max_length=255,
        required=False,
        default="",
        allow_blank=True,
        help_text="Where the range ends; this value itself is not part of it.",
    )
    replay_rejects = serializers.BooleanField(
        required=False, default=False, help_text="Try the rejected rows again."
    )


class RunRetrySerializer(KnownKeys):
    from_failure = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Only what failed and what stands behind it; otherwise the whole target again.",
    )
    as_it_was = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Execute the definitions and the SQL of then; otherwise today's.",
    )


class ResultSerializer(serializers.ModelSerializer[RunStepResult]):
    class Meta:
        model = RunStepResult
        fields = (
            "kind",
            "name",
            "target",
            "status",
            "rows_read",
            "rows_loaded",
            "rows_filtered",
            "rows_rejected",
            "rows_deduplicated",
            "started_at",
            "finished_at",
            "message",
            "details",
        )
        read_only_fields = fields


class AttemptSerializer(serializers.ModelSerializer[RunStepAttempt]):
    class Meta:
        model = RunStepAttempt
        fields = (
            "number",
            "worker",
            "started_at",
            "finished_at",
            "status",
            "error",
            "error_code",
        )
        read_only_fields = fields


class StepSerializer(serializers.ModelSerializer[RunStep]):
    results = serializers.SerializerMethodField()
    attempts = serializers.SerializerMethodField()

    class Meta:
        model = RunStep
        fields = (
            "position",
            "kind",
            "name",
            "nodes",
            "upstream",
            "status",
            "has_warnings",
            "attempt",
            "max_attempts",
            "times_lost",
            "worker",
            "waiting_for",
            "queued_at",
            "started_at",
            "finished_at",
            "progress",
            "error",
            "error_code",
            "error_remedy",
            "error_detail",
            "peak_memory_mb",
            "cpu_seconds",
            "attempts",
            "results",
        )
        read_only_fields = fields

    @extend_schema(responses=ResultSerializer(many=True))
    def get_results(self, step: RunStep) -> list[dict[str, Any]]:
        rows = self.context["results"].get(step.pk, [])
        return list(ResultSerializer(rows, many=True).data)

    @extend_schema(responses=AttemptSerializer(many=True))
    def get_attempts(self, step: RunStep) -> list[dict[str, Any]]:
        rows = self.context["attempts"].get(step.pk, [])
        return list(AttemptSerializer(rows, many=True).data)


class RunList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW, "POST": Permission.RUN}
    grantable = "target"

    @extend_schema(
        summary="List runs",
        parameters=[RunQuerySerializer],
        responses=RunSerializer(many=True),
        tags=["runs"],
    )
    def get(self, request: Request) -> Response:
        """The newest first."""
        data = dict(self.query(RunQuerySerializer))
        wanted = RunFilter(query=data.pop("q"), **data)
        rows = runs_of(self.organization, wanted).select_related("retry_of", "after")
        if not self.actor.can(Permission.VIEW):
            # A guest came here by a pipeline: of runs of more than that they know nothing.
            rows = rows.filter(target=wanted.target, select="")
        return self.page(rows, RunSerializer, ordering="-number")

    @extend_schema(
        summary="Start a run",
        request=RunCreateSerializer,
        responses={201: RunSerializer},
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="The same key again answers with the run it made the first time.",
            )
        ],
        tags=["runs"],
    )
    def post(self, request: Request) -> Response:
        """Queued at once; follow it at `runs/{number}/`."""
        data = self.body(RunCreateSerializer)
        key = request.headers.get("Idempotency-Key", "").strip()
        if len(key) > LONGEST_KEY:
            raise UserError(
                f"An idempotency key has at most {LONGEST_KEY} characters.",
                field="Idempotency-Key",
                remedy="Use a UUID.",
            )
        run = services.request_run(
            organization=self.organization,
            actor=self.actor,
            trigger=Trigger.API,
            idempotency_key=key,
            **data,
        )
        return Response(RunSerializer(run).data, status=status.HTTP_201_CREATED)


class RunDetail(RunView):
    required: ClassVar = {"GET": Permission.VIEW}

    @extend_schema(summary="Show a run", responses=RunDetailSerializer, tags=["runs"])
    def get(self, request: Request, number: int) -> Response:
        """With its capsule: what was run exactly, without secrets. To guests it is empty."""
        data = dict(RunDetailSerializer(self.run(number)).data)
        if not self.actor.can(Permission.VIEW):
            # Settings of connections, and names of what the run waited for.
            data["capsule"] = {}
        return Response(data)


class RunCancel(RunView):
    required: ClassVar = {"POST": Permission.RUN}

    @extend_schema(summary="Cancel a run", request=None, responses=RunSerializer, tags=["runs"])
    def post(self, request: Request, number: int) -> Response:
        """Queued steps end at once, running ones within seconds."""
        run = services.cancel_run(run=self.run(number), actor=self.actor)
        return Response(RunSerializer(run).data)


class RunRetry(RunView):
    required: ClassVar = {"POST": Permission.RUN}

    @extend_schema(
        summary="Run again",
        request=RunRetrySerializer,
        responses={201: RunSerializer},
        tags=["runs"],
    )
    def post(self, request: Request, number: int) -> Response:
        """A new run of the same target and options, with today's configuration or as it was."""
        data = self.body(RunRetrySerializer)
        again = services.retry_run(run=self.run(number), actor=self.actor, **data)
        return Response(RunSerializer(again).data, status=status.HTTP_201_CREATED)


class RunSteps(RunView):
    required: ClassVar = {"GET": Permission.VIEW}
    pagination_class = None

    @extend_schema(summary="List steps", responses=StepSerializer(many=True), tags=["runs"])
    def get(self, request: Request, number: int) -> Response:
        """Every step in order, with what came of each table, transformation and test."""
        run = self.run(number)
        steps = steps_of(run)
        tell(steps)
        context = {
            "results": results_of(self.organization, steps),
            "attempts": attempts_of(run, steps),
        }
        return Response(StepSerializer(steps, many=True, context=context).data)
