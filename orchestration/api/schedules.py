"""Schedules for machines."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.api import KnownKeys
from common.http import get_or_404
from orchestration import services
from orchestration.models import MissedPolicy, OverlapPolicy, Schedule
from orchestration.requests import DAG
from orchestration.selectors import schedules_of
from tenants.api_base import OrganizationAPIView
from tenants.models import Organization


class ScheduleSerializer(serializers.ModelSerializer[Schedule]):
    target = serializers.SerializerMethodField()
    cron = serializers.CharField()
    time_zone = serializers.CharField()

    class Meta:
        model = Schedule
        fields = (
            "slug",
            "name",
            "target",
            "select",
            "cron",
            "time_zone",
            "missed",
            "overlap",
            "starts_at",
            "ends_at",
            "is_active",
            "next_run_at",
            "last_run_at",
            "note",
            "created_at",
        )
        read_only_fields = fields

    def get_target(self, schedule: Schedule) -> str:
        return schedule.node.key if schedule.node else DAG


class ScheduleWriteSerializer(KnownKeys):
    name = serializers.CharField(max_length=80)
    cron = serializers.CharField(
        max_length=120, help_text="Minute, hour, day of month, month, day of week."
    )
    time_zone = serializers.CharField(
        max_length=64, required=False, help_text="By default the organization's."
    )
    target = serializers.CharField(
        max_length=120,
        required=False,
        default=DAG,
        help_text="`pipeline:<slug>`, `transformation:<name>` or `dag`.",
    )
    select = serializers.CharField(
        max_length=500, required=False, default="", allow_blank=True, help_text="Narrows it."
    )
    missed = serializers.ChoiceField(
        MissedPolicy.choices, required=False, default=MissedPolicy.ONCE
    )
    overlap = serializers.ChoiceField(
        OverlapPolicy.choices, required=False, default=OverlapPolicy.SKIP
    )
    starts_at = serializers.DateTimeField(
        required=False, default=None, allow_null=True, help_text="Nothing starts before."
    )
    ends_at = serializers.DateTimeField(
        required=False, default=None, allow_null=True, help_text="Nothing starts from then on."
    )


class SchedulesPausedSerializer(serializers.Serializer[Organization]):
    """Whether all schedules of the organization rest, since when and by whom."""

    paused_at = serializers.DateTimeField(source="schedules_paused_at", allow_null=True)
    paused_by = serializers.CharField(source="schedules_paused_by")


def _as_arguments(data: dict[str, Any]) -> dict[str, Any]:
    return {("expression" if name == "cron" else name): value for name, value in data.items()}


class ScheduleList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW, "POST": Permission.EDIT}
    pagination_class = None

    @extend_schema(
        summary="List schedules", responses=ScheduleSerializer(many=True), tags=["schedules"]
    )
    def get(self, request: Request) -> Response:
        """By name, paused ones too."""
        return Response(ScheduleSerializer(schedules_of(self.organization), many=True).data)

    @extend_schema(
        summary="Create a schedule",
        request=ScheduleWriteSerializer,
        responses={201: ScheduleSerializer},
        tags=["schedules"],
    )
    def post(self, request: Request) -> Response:
        """Active at once; the first start is `next_run_at`."""
        data = {"time_zone": self.organization.time_zone, **self.body(ScheduleWriteSerializer)}
        schedule = services.create_schedule(
            organization=self.organization, actor=self.actor, **_as_arguments(data)
        )
        return Response(ScheduleSerializer(schedule).data, status=status.HTTP_201_CREATED)


class _ScheduleView(OrganizationAPIView):
    required: ClassVar[dict[str, Permission]] = {}

    def schedule(self, slug: str) -> Schedule:
        rows = Schedule.objects.for_organization(self.organization)
        return get_or_404(
            rows.select_related(
                "crontab", "node__pipeline", "node__transformation", "organization"
            ),
            slug=slug,
        )


class ScheduleDetail(_ScheduleView):
    required: ClassVar = {
        "GET": Permission.VIEW,
        "PATCH": Permission.EDIT,
        "DELETE": Permission.EDIT,
    }

    @extend_schema(summary="Show a schedule", responses=ScheduleSerializer, tags=["schedules"])
    def get(self, request: Request, slug: str) -> Response:
        return Response(ScheduleSerializer(self.schedule(slug)).data)

    @extend_schema(
        summary="Change a schedule",
        request=ScheduleWriteSerializer,
        responses=ScheduleSerializer,
        tags=["schedules"],
    )
    def patch(self, request: Request, slug: str) -> Response:
        """What is not given stays."""
        schedule = self.schedule(slug)
        current = {
            "name": schedule.name,
            "cron": schedule.cron,
            "time_zone": schedule.time_zone,
            "target": schedule.node.key if schedule.node else DAG,
            "select": schedule.select,
            "missed": schedule.missed,
            "overlap": schedule.overlap,
            "starts_at": schedule.starts_at,
            "ends_at": schedule.ends_at,
        }
        data = {**current, **self.body(ScheduleWriteSerializer, partial=True)}
        changed = services.update_schedule(
            schedule=schedule, actor=self.actor, **_as_arguments(data)
        )
        return Response(ScheduleSerializer(changed).data)

    @extend_schema(summary="Delete a schedule", responses={204: None}, tags=["schedules"])
    def delete(self, request: Request, slug: str) -> Response:
        """Into the trash, from which it can be restored."""
        services.delete_schedule(schedule=self.schedule(slug), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SchedulePause(_ScheduleView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Pause a schedule", request=None, responses=ScheduleSerializer, tags=["schedules"]
    )
    def post(self, request: Request, slug: str) -> Response:
        schedule = services.set_schedule_active(
            schedule=self.schedule(slug), actor=self.actor, active=False
        )
        return Response(ScheduleSerializer(schedule).data)


class ScheduleResume(_ScheduleView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Resume a schedule", request=None, responses=ScheduleSerializer, tags=["schedules"]
    )
    def post(self, request: Request, slug: str) -> Response:
        """Starts that passed meanwhile are not made up for."""
        schedule = services.set_schedule_active(
            schedule=self.schedule(slug), actor=self.actor, active=True
        )
        return Response(ScheduleSerializer(schedule).data)


class SchedulePauseAll(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Pause all schedules",
        request=None,
        responses=SchedulesPausedSerializer,
        tags=["schedules"],
    )
    def post(self, request: Request) -> Response:
        """Nothing starts by itself until they are resumed; each keeps its own state."""
        paused = services.pause_all_schedules(organization=self.organization, actor=self.actor)
        return Response(SchedulesPausedSerializer(paused).data)


class ScheduleResumeAll(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Resume all schedules",
        request=None,
        responses=SchedulesPausedSerializer,
        tags=["schedules"],
    )
    def post(self, request: Request) -> Response:
        """Starts that passed meanwhile are not made up for; schedules paused themselves stay so."""
        resumed = services.resume_all_schedules(organization=self.organization, actor=self.actor)
        return Response(SchedulesPausedSerializer(resumed).data)
