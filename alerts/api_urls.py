"""API routes of alerts, below ``/api/v1/organizations/<organization>/``."""

from django.urls import path

from alerts.api import channels, deliveries, rules

urlpatterns = [
    path("alert-rules/", rules.RuleList.as_view(), name="api-alert-rule-list"),
    path("alert-rules/<slug:slug>/", rules.RuleDetail.as_view(), name="api-alert-rule-detail"),
    path("alert-rules/<slug:slug>/mute/", rules.RuleMute.as_view(), name="api-alert-rule-mute"),
    path(
        "alert-rules/<slug:slug>/unmute/", rules.RuleUnmute.as_view(), name="api-alert-rule-unmute"
    ),
    path("alert-channels/", channels.ChannelList.as_view(), name="api-alert-channel-list"),
    path(
        "alert-channels/<slug:slug>/",
        channels.ChannelDetail.as_view(),
        name="api-alert-channel-detail",
    ),
    path(
        "alert-channels/<slug:slug>/test/",
        channels.ChannelTest.as_view(),
        name="api-alert-channel-test",
    ),
    path(
        "alert-channels/<slug:slug>/renew-secret/",
        channels.ChannelRenew.as_view(),
        name="api-alert-channel-renew",
    ),
    path("alert-deliveries/", deliveries.DeliveryList.as_view(), name="api-alert-delivery-list"),
    path(
        "alert-deliveries/<int:pk>/",
        deliveries.DeliveryDetail.as_view(),
        name="api-alert-delivery-detail",
    ),
    path(
        "alert-deliveries/<int:pk>/retry/",
        deliveries.DeliveryRetry.as_view(),
        name="api-alert-delivery-retry",
    ),
]
