"""What people want to be told, how they are told, and what they were told."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.crypto import EncryptedJSONField
from common.scoping import OrganizationOwned


class ChannelKind(models.TextChoices):
    EMAIL = "email", _("E-mail")
    WEBHOOK = "webhook", _("Webhook")
    SLACK = "slack", _("Slack or compatible")


class Scope(models.TextChoices):
    """What a rule watches."""

    ORGANIZATION = "organization", _("Everything")
    PIPELINE = "pipeline", _("One pipeline")
    TAG = "tag", _("A tag")


class Condition(models.TextChoices):
    """What an incident is about."""

    FAILURE = "failure", _("Failed")
    NO_SUCCESS = "no_success", _("No success")
    OVERDUE = "overdue", _("Overdue")
    TOO_LONG = "too_long", _("Too long")
    STALE = "stale", _("Stale table")


class Event(models.TextChoices):
    """Why a message is sent."""

    OPENED = "opened", _("Alert")
    REMINDER = "reminder", _("Reminder")
    RECOVERED = "recovered", _("Recovered")
    TEST = "test", _("Test")


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", _("On its way")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Not delivered")


class AlertChannel(OrganizationOwned):
    """Where alerts go: addresses, or an endpoint whose URL nobody reads again."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=64)
    kind = models.CharField(max_length=8, choices=ChannelKind)
    #: Of an e-mail channel.
    addresses = models.JSONField(default=list, blank=True)
    #: ``url`` of a webhook and of Slack; ``secret`` of a webhook, and ``old_secret`` after a new one was made.
    secrets = EncryptedJSONField(blank=True, default=dict)
    #: The host of the URL: all of it that is shown.
    host = models.CharField(max_length=255, blank=True)
    #: Until then a webhook is signed with the secret before this one too.
    old_secret_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(OrganizationOwned.Meta):
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"], name="alert_channel_slug_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def target(self) -> str:
        """Where it leads, as far as that may be shown."""
        return ", ".join(self.addresses) if self.kind == ChannelKind.EMAIL else self.host


class AlertRule(OrganizationOwned):
    """What is watched, what has to happen, and which channels hear of it. A condition that is None is not watched."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=64)
    scope = models.CharField(max_length=12, choices=Scope, default=Scope.ORGANIZATION)
    pipeline = models.ForeignKey(
        "pipelines.Pipeline", models.CASCADE, null=True, blank=True, related_name="+"
    )
    tag = models.CharField(max_length=63, blank=True)
    #: 1 is every failure; from 2 on, so many without a success between them.
    failures_in_a_row = models.PositiveSmallIntegerField(null=True, blank=True)
    #: Late: no success for so long.
    no_success_seconds = models.PositiveIntegerField(null=True, blank=True)
    #: Late: a scheduled run has not ended so long after its time.
    overdue_seconds = models.PositiveIntegerField(null=True, blank=True)
    too_long_seconds = models.PositiveIntegerField(null=True, blank=True)
    #: So many times as long as usual.
    too_long_factor = models.FloatField(null=True, blank=True)
    #: A table that a pipeline loads was not loaded for so long.
    stale_seconds = models.PositiveIntegerField(null=True, blank=True)
    tells_recovery = models.BooleanField(default=True)
    #: Say it again while it lasts; None says it once.
    reminder_seconds = models.PositiveIntegerField(null=True, blank=True)
    channels = models.ManyToManyField(AlertChannel, related_name="+")
    is_muted = models.BooleanField(default=False)
    #: None of a muted rule is for ever.
    muted_until = models.DateTimeField(null=True, blank=True)
    muted_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    #: When the watch looked last.
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(OrganizationOwned.Meta):
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "slug"], name="alert_rule_slug_unique"),
            models.CheckConstraint(
                condition=Q(scope=Scope.PIPELINE, pipeline__isnull=False)
                | Q(pipeline__isnull=True) & ~Q(scope=Scope.PIPELINE),
                name="alert_rule_has_the_pipeline_it_is_about",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def is_silent(self, now: datetime) -> bool:
        """Whether it is muted at this moment."""
        return self.is_muted and (self.muted_until is None or self.muted_until > now)


class AlertIncident(OrganizationOwned):
    """Something that a rule found and that lasts, from the first sign to the end: it is told once."""

    #: Known before the row is written, so that of two writers each knows whose row it is.
    reference = models.UUIDField(default=uuid.uuid4, unique=True)
    rule = models.ForeignKey(AlertRule, models.CASCADE, related_name="+")
    condition = models.CharField(max_length=10, choices=Condition)
    #: ``pipeline:<slug>``, ``transformation:<name>``, ``schedule:<slug>`` or ``table:<schema>.<name>``.
    subject = models.CharField(max_length=330)
    name = models.CharField(max_length=330)
    #: A sentence of the finder, and of a failure its error.
    text = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    #: The page of the subject.
    path = models.CharField(max_length=500, blank=True)
    #: The latest run it showed in.
    run = models.ForeignKey(
        "orchestration.Run", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    #: Failures since it began.
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)
    last_told_at = models.DateTimeField(null=True, blank=True)
    reminders = models.PositiveIntegerField(default=0)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-since", "-pk"]
        indexes = [
            models.Index(
                fields=["organization"], condition=Q(closed_at__isnull=True), name="incident_open"
            ),
            models.Index(fields=["closed_at"], name="incident_closed_at"),
        ]
        constraints = [
            # Runs that end at the same moment open one incident between them.
            models.UniqueConstraint(
                fields=["rule", "condition", "subject"],
                condition=Q(closed_at__isnull=True),
                name="incident_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.condition}"


class AlertDelivery(OrganizationOwned):
    """One message for one channel: written with what caused it, sent afterwards, tried again until it is taken."""

    #: The identifier receivers see; the same at every try, so that they can tell a repetition.
    reference = models.UUIDField(default=uuid.uuid4, unique=True)
    rule = models.ForeignKey(AlertRule, models.SET_NULL, null=True, blank=True, related_name="+")
    channel = models.ForeignKey(
        AlertChannel, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    #: As it was then, for when the channel is gone.
    channel_name = models.CharField(max_length=80)
    channel_kind = models.CharField(max_length=8, choices=ChannelKind)
    event = models.CharField(max_length=9, choices=Event)
    condition = models.CharField(max_length=10, choices=Condition, blank=True)
    #: What it is about: one channel hears of one thing once.
    key = models.CharField(max_length=80)
    #: See docs/alerts.md.
    message = models.JSONField(default=dict)
    status = models.CharField(max_length=9, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    #: When a worker may take it; while one has it, when it counts as lost.
    next_attempt_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(OrganizationOwned.Meta):
        verbose_name_plural = "alert deliveries"
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(status=DeliveryStatus.PENDING),
                name="delivery_due",
            ),
            models.Index(fields=["organization", "-created_at"], name="delivery_by_time"),
            models.Index(fields=["created_at"], name="delivery_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["channel", "key"], name="delivery_once_per_event"),
        ]

    def __str__(self) -> str:
        return f"{self.title} → {self.channel_name}"

    @property
    def title(self) -> str:
        return str(self.message.get("data", {}).get("title", ""))
