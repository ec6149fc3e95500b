"""Alert deliveries for machines."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import selectors, services
from alerts.models import AlertDelivery, DeliveryStatus
from common.access import Permission
from common.http import get_or_404
from tenants.api_base import OrganizationAPIView


class AlertDeliverySerializer(serializers.ModelSerializer[AlertDelivery]):
    rule = serializers.SerializerMethodField()
    channel = serializers.SerializerMethodField()
    title = serializers.CharField()
    condition = serializers.CharField(
        read_only=True, help_text="What was met, as the rule has it; empty for a test."
    )

    class Meta:
        model = AlertDelivery
        fields = (
            "id",
            "event",
            "condition",
            "title",
            "rule",
            "channel",
            "channel_name",
            "channel_kind",
            "status",
            "attempts",
            "next_attempt_at",
            "last_attempt_at",
            "last_error",
            "delivered_at",
            "created_at",
            "message",
        )
        read_only_fields = fields

    def get_rule(self, delivery: AlertDelivery) -> str:
        return delivery.rule.slug if delivery.rule else ""

    def get_channel(self, delivery: AlertDelivery) -> str:
        return delivery.channel.slug if delivery.channel else ""


class AlertDeliveryQuerySerializer(serializers.Serializer[AlertDelivery]):
    status = serializers.ChoiceField(
        DeliveryStatus.choices, required=False, default="", allow_blank=True
    )
    rule = serializers.CharField(required=False, default="", allow_blank=True, help_text="A slug.")
    channel = serializers.CharField(
        required=False, default="", allow_blank=True, help_text="A slug."
    )


class DeliveryList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW}

    @extend_schema(
        summary="List alert deliveries",
        parameters=[AlertDeliveryQuerySerializer],
        responses=AlertDeliverySerializer(many=True),
        tags=["alert-deliveries"],
    )
    def get(self, request: Request) -> Response:
        """What was sent or waits to be, the newest first."""
        wanted = selectors.DeliveryFilter(**self.query(AlertDeliveryQuerySerializer))
        rows = selectors.deliveries_of(self.organization, wanted)
        return self.page(rows, AlertDeliverySerializer, ordering="-pk")


class _DeliveryView(OrganizationAPIView):
    required: ClassVar[dict[str, Permission]] = {}

    def delivery(self, pk: int) -> AlertDelivery:
        rows = selectors.deliveries_of(self.organization, selectors.DeliveryFilter())
        return get_or_404(rows.select_related("organization", "rule", "channel"), pk=pk)


class DeliveryDetail(_DeliveryView):
    required: ClassVar = {"GET": Permission.VIEW}

    @extend_schema(
        summary="Show an alert delivery",
        responses=AlertDeliverySerializer,
        tags=["alert-deliveries"],
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(AlertDeliverySerializer(self.delivery(pk)).data)


class DeliveryRetry(_DeliveryView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Send an alert again",
        request=None,
        responses=AlertDeliverySerializer,
        tags=["alert-deliveries"],
    )
    def post(self, request: Request, pk: int) -> Response:
        """One that was given up, with the same id and all attempts before it."""
        delivery = services.retry_delivery(delivery=self.delivery(pk), actor=self.actor)
        return Response(AlertDeliverySerializer(delivery).data)
