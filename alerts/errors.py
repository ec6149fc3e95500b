from common.errors import Conflict, TransientError, UserError


class InvalidRule(UserError):
    """A setting of the alert rule is not valid."""

    code = "invalid_alert_rule"


class InvalidChannel(UserError):
    """A setting of the alert channel is not valid."""

    code = "invalid_alert_channel"


class ChannelInUse(Conflict):
    """This channel is used by alert rules."""

    code = "alert_channel_in_use"


class TooManyTests(Conflict):
    """This channel was tested often in the last minute."""

    code = "too_many_tests"


class DeliveryNotFailed(Conflict):
    """This delivery has arrived, or is being sent just now."""

    code = "delivery_not_failed"


class NotDelivered(TransientError):
    """The receiver did not take the alert; another try may help."""

    code = "not_delivered"


class Refused(UserError):
    """The receiver refused the alert; the same again would be refused again."""

    code = "refused_by_receiver"
