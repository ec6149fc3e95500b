"""Every change to alert rules, channels and deliveries."""

from alerts.services.channels import (
    ChannelSettings,
    create_channel,
    delete_channel,
    renew_secret,
    send_test,
    update_channel,
)
from alerts.services.deliveries import retry_delivery
from alerts.services.rules import (
    CONDITIONS,
    RuleSettings,
    create_rule,
    delete_rule,
    mute_rule,
    settings_of,
    unmute_rule,
    update_rule,
)

__all__ = [
    "CONDITIONS",
    "ChannelSettings",
    "RuleSettings",
    "create_channel",
    "create_rule",
    "delete_channel",
    "delete_rule",
    "mute_rule",
    "renew_secret",
    "retry_delivery",
    "send_test",
    "settings_of",
    "unmute_rule",
    "update_channel",
    "update_rule",
]
