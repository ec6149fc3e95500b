"""Alert rules for machines."""

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import selectors, services
from alerts.models import AlertRule, Scope
from common.access import Permission
from common.api import KnownKeys
from common.http import get_or_404
from tenants.api_base import OrganizationAPIView


class AlertRuleSerializer(serializers.ModelSerializer[AlertRule]):
    pipeline = serializers.SerializerMethodField()
    channels = serializers.SerializerMethodField()

    class Meta:
        model = AlertRule
        fields = (
            "slug",
            "name",
            "scope",
            "pipeline",
            "tag",
            *services.CONDITIONS,
            "tells_recovery",
            "reminder_seconds",
            "channels",
            "is_muted",
            "muted_until",
            "muted_by",
            "created_at",
        )
        read_only_fields = fields

    def get_pipeline(self, rule: AlertRule) -> str:
        return rule.pipeline.slug if rule.pipeline else ""

    def get_channels(self, rule: AlertRule) -> list[str]:
        return [channel.slug for channel in rule.channels.all()]


def _seconds(text: str) -> serializers.IntegerField:
    return serializers.IntegerField(required=False, allow_null=True, default=None, help_text=text)


class AlertRuleWriteSerializer(KnownKeys):
    name = serializers.CharField(max_length=80)
    channels = serializers.ListField(
        child=serializers.SlugField(max_length=64), help_text="Slugs; at least one."
    )
    scope = serializers.ChoiceField(Scope.choices, required=False, default=Scope.ORGANIZATION)
    pipeline = serializers.CharField(
        max_length=64,
        required=False,
        default="",
        allow_blank=True,
        help_text="The slug, for the scope `pipeline`.",
    )
    tag = serializers.CharField(
        max_length=63,
        required=False,
        default="",
        allow_blank=True,
        help_text="For the scope `tag`.",
    )
    failures_in_a_row = serializers.IntegerField(
        required=False, allow_null=True, default=None, help_text="1 tells of the first failure."
    )
    no_success_seconds = _seconds("No success for so long.")
    overdue_seconds = _seconds("A scheduled run has not ended so long after its time.")
    too_long_seconds = _seconds("A run takes longer than this.")
    too_long_factor = serializers.FloatField(
        required=False,
        allow_null=True,
        default=None,
        help_text="A run takes so many times as long as usual.",
    )
    stale_seconds = _seconds("A table was not loaded for so long.")
    tells_recovery = serializers.BooleanField(required=False, default=True)
    reminder_seconds = _seconds("Say it again so often; null says it once.")


class AlertMuteSerializer(KnownKeys):
    until = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Null: until it is unmuted."
    )


def _settings(data: dict[str, Any]) -> services.RuleSettings:
    return services.RuleSettings(**{**data, "channels": tuple(data["channels"])})


class RuleList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW, "POST": Permission.EDIT}
    pagination_class = None

    @extend_schema(
        summary="List alert rules", responses=AlertRuleSerializer(many=True), tags=["alert-rules"]
    )
    def get(self, request: Request) -> Response:
        """By name, muted ones too."""
        return Response(AlertRuleSerializer(selectors.rules_of(self.organization), many=True).data)

    @extend_schema(
        summary="Create an alert rule",
        request=AlertRuleWriteSerializer,
        responses={201: AlertRuleSerializer},
        tags=["alert-rules"],
    )
    def post(self, request: Request) -> Response:
        """It watches at once. A condition that is null is not watched; at least one is needed."""
        rule = services.create_rule(
            organization=self.organization,
            actor=self.actor,
            settings=_settings(self.body(AlertRuleWriteSerializer)),
        )
        return Response(AlertRuleSerializer(rule).data, status=status.HTTP_201_CREATED)


class _RuleView(OrganizationAPIView):
    required: ClassVar[dict[str, Permission]] = {}

    def rule(self, slug: str) -> AlertRule:
        return get_or_404(selectors.rules_of(self.organization), slug=slug)


class RuleDetail(_RuleView):
    required: ClassVar = {
        "GET": Permission.VIEW,
        "PATCH": Permission.EDIT,
        "DELETE": Permission.EDIT,
    }

    @extend_schema(
        summary="Show an alert rule", responses=AlertRuleSerializer, tags=["alert-rules"]
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(AlertRuleSerializer(self.rule(slug)).data)

    @extend_schema(
        summary="Change an alert rule",
        request=AlertRuleWriteSerializer,
        responses=AlertRuleSerializer,
        tags=["alert-rules"],
    )
    def patch(self, request: Request, slug: str) -> Response:
        """What is not given stays. When what it watches changes, it starts afresh."""
        rule = self.rule(slug)
        given = self.body(AlertRuleWriteSerializer, partial=True)
        services.update_rule(
            rule=rule,
            actor=self.actor,
            settings=_settings({**asdict(services.settings_of(rule)), **given}),
        )
        return Response(AlertRuleSerializer(self.rule(slug)).data)

    @extend_schema(summary="Delete an alert rule", responses={204: None}, tags=["alert-rules"])
    def delete(self, request: Request, slug: str) -> Response:
        """For good; its deliveries stay in the log."""
        services.delete_rule(rule=self.rule(slug), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RuleMute(_RuleView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Mute an alert rule",
        request=AlertMuteSerializer,
        responses=AlertRuleSerializer,
        tags=["alert-rules"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """It goes on watching; what is still open when the mute ends is told then."""
        rule = services.mute_rule(
            rule=self.rule(slug), actor=self.actor, until=self.body(AlertMuteSerializer)["until"]
        )
        return Response(AlertRuleSerializer(rule).data)


class RuleUnmute(_RuleView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Unmute an alert rule",
        request=None,
        responses=AlertRuleSerializer,
        tags=["alert-rules"],
    )
    def post(self, request: Request, slug: str) -> Response:
        rule = services.unmute_rule(rule=self.rule(slug), actor=self.actor)
        return Response(AlertRuleSerializer(rule).data)
