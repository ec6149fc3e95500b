"""Pages of alerts, below ``/o/<organization>/alerts/``."""

from django.urls import path

from alerts import views_channels, views_deliveries, views_rules

app_name = "alerts"
urlpatterns = [
    path("", views_rules.rule_list, name="rule-list"),
    path("rules/create/", views_rules.rule_create, name="rule-create"),
    path("rules/<slug:slug>/edit/", views_rules.rule_update, name="rule-update"),
    path("rules/<slug:slug>/mute/", views_rules.rule_mute, name="rule-mute"),
    path("rules/<slug:slug>/unmute/", views_rules.rule_unmute, name="rule-unmute"),
    path("rules/<slug:slug>/delete/", views_rules.rule_delete, name="rule-delete"),
    path("channels/", views_channels.channel_list, name="channel-list"),
    path("channels/create/", views_channels.channel_create, name="channel-create"),
    path("channels/<slug:slug>/edit/", views_channels.channel_update, name="channel-update"),
    path("channels/<slug:slug>/test/", views_channels.channel_test, name="channel-test"),
    path("channels/<slug:slug>/renew/", views_channels.channel_renew, name="channel-renew"),
    path("channels/<slug:slug>/delete/", views_channels.channel_delete, name="channel-delete"),
    path("deliveries/", views_deliveries.delivery_list, name="delivery-list"),
    path("deliveries/<int:pk>/", views_deliveries.delivery_detail, name="delivery-detail"),
    path("deliveries/<int:pk>/retry/", views_deliveries.delivery_retry, name="delivery-retry"),
]
