"""Alert channels for machines. URLs and secrets go in; a secret comes out once, when it is made."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import selectors, services
from alerts.api.deliveries import AlertDeliverySerializer
from alerts.models import AlertChannel, ChannelKind
from common.access import Permission
from common.api import KnownKeys
from common.http import get_or_404
from tenants.api_base import OrganizationAPIView


class AlertChannelSerializer(serializers.ModelSerializer[AlertChannel]):
    addresses = serializers.ListField(child=serializers.EmailField(), read_only=True)
    host = serializers.CharField(
        read_only=True, help_text="Of the URL, which itself is never shown."
    )

    class Meta:
        model = AlertChannel
        fields = ("slug", "name", "kind", "addresses", "host", "created_at")
        read_only_fields = fields


class AlertChannelCreatedSerializer(AlertChannelSerializer):
    secret = serializers.CharField(
        read_only=True, help_text="Signs a webhook's messages; empty for other kinds. Shown once."
    )

    class Meta(AlertChannelSerializer.Meta):
        fields = (*AlertChannelSerializer.Meta.fields, "secret")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class AlertChannelWriteSerializer(KnownKeys):
    name = serializers.CharField(max_length=80)
    addresses = serializers.ListField(
        child=serializers.CharField(max_length=254),
        required=False,
        default=list,
        help_text="Of an e-mail channel.",
    )
    url = serializers.CharField(
        max_length=2000,
        required=False,
        default="",
        allow_blank=True,
        write_only=True,
        help_text="Of a webhook and of Slack.",
    )


class AlertChannelCreateSerializer(AlertChannelWriteSerializer):
    kind = serializers.ChoiceField(ChannelKind.choices)


class AlertSecretSerializer(serializers.Serializer[AlertChannel]):
    secret = serializers.CharField(help_text="Shown this once.")


class ChannelList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW, "POST": Permission.EDIT}
    pagination_class = None

    @extend_schema(
        summary="List alert channels",
        responses=AlertChannelSerializer(many=True),
        tags=["alert-channels"],
    )
    def get(self, request: Request) -> Response:
        rows = selectors.channels_of(self.organization)
        return Response(AlertChannelSerializer(rows, many=True).data)

    @extend_schema(
        summary="Create an alert channel",
        request=AlertChannelCreateSerializer,
        responses={201: AlertChannelCreatedSerializer},
        tags=["alert-channels"],
    )
    def post(self, request: Request) -> Response:
        """A webhook's signing secret is in this answer and in no other."""
        data = dict(self.body(AlertChannelCreateSerializer))
        kind = data.pop("kind")
        channel, secret = services.create_channel(
            organization=self.organization,
            actor=self.actor,
            kind=kind,
            settings=services.ChannelSettings(**{**data, "addresses": tuple(data["addresses"])}),
        )
        answer = {**AlertChannelSerializer(channel).data, "secret": secret}
        return Response(answer, status=status.HTTP_201_CREATED)


class _ChannelView(OrganizationAPIView):
    required: ClassVar[dict[str, Permission]] = {}

    def channel(self, slug: str) -> AlertChannel:
        rows = AlertChannel.objects.for_organization(self.organization)
        return get_or_404(rows.select_related("organization"), slug=slug)


class ChannelDetail(_ChannelView):
    required: ClassVar = {
        "GET": Permission.VIEW,
        "PATCH": Permission.EDIT,
        "DELETE": Permission.EDIT,
    }

    @extend_schema(
        summary="Show an alert channel", responses=AlertChannelSerializer, tags=["alert-channels"]
    )
    def get(self, request: Request, slug: str) -> Response:
        channel = get_or_404(selectors.channels_of(self.organization), slug=slug)
        return Response(AlertChannelSerializer(channel).data)

    @extend_schema(
        summary="Change an alert channel",
        request=AlertChannelWriteSerializer,
        responses=AlertChannelSerializer,
        tags=["alert-channels"],
    )
    def patch(self, request: Request, slug: str) -> Response:
        """What is not given stays, the URL too."""
        channel = self.channel(slug)
        given = self.body(AlertChannelWriteSerializer, partial=True)
        settings = services.ChannelSettings(
            name=given.get("name", channel.name),
            addresses=tuple(given.get("addresses", channel.addresses)),
            url=given.get("url", ""),
        )
        services.update_channel(channel=channel, actor=self.actor, settings=settings)
        return Response(AlertChannelSerializer(channel).data)

    @extend_schema(
        summary="Delete an alert channel", responses={204: None}, tags=["alert-channels"]
    )
    def delete(self, request: Request, slug: str) -> Response:
        """For good, with its secrets; refused while a rule uses it."""
        services.delete_channel(channel=self.channel(slug), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChannelTest(_ChannelView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Send a test",
        request=None,
        responses=AlertDeliverySerializer,
        tags=["alert-channels"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Sends now and answers with what came of it: `status` is `delivered` or `failed`."""
        delivery = services.send_test(channel=self.channel(slug), actor=self.actor)
        return Response(AlertDeliverySerializer(delivery).data)


class ChannelRenew(_ChannelView):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Renew a webhook's secret",
        request=None,
        responses=AlertSecretSerializer,
        tags=["alert-channels"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """For a day messages are signed with the secret before it too."""
        secret = services.renew_secret(channel=self.channel(slug), actor=self.actor)
        return Response({"secret": secret})
