"""What starts runs at times."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.scoping import LIVE, Trashable
from orchestration.models.graph import Node
from orchestration.models.vocabulary import MissedPolicy, OverlapPolicy


class Schedule(Trashable):
    """A cron expression in a time zone that starts runs of one node or of the whole graph."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=64)
    #: None is the whole graph, narrowed by ``select``.
    node = models.ForeignKey(Node, models.CASCADE, null=True, blank=True, related_name="+")
    #: A selection such as ``+fct_flights tag:nightly``; empty is everything.
    select = models.CharField(max_length=500, blank=True)
    crontab = models.ForeignKey(
        "django_celery_beat.CrontabSchedule", models.PROTECT, related_name="+"
    )
    is_active = models.BooleanField(default=True)
    missed = models.CharField(max_length=4, choices=MissedPolicy, default=MissedPolicy.ONCE)
    overlap = models.CharField(max_length=6, choices=OverlapPolicy, default=OverlapPolicy.SKIP)
    #: No run is started before the one and from the other on; None is no bound.
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: What the last due time came to, when it started no run.
    note = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(Trashable.Meta):
        ordering = ["name", "pk"]
        indexes = [
            # The list is read in this order, a page at a time.
            models.Index(
                fields=["organization", "name", "id"], condition=LIVE, name="schedule_by_name"
            ),
            # The tick asks for this every second.
            models.Index(
                fields=["next_run_at"],
                condition=Q(is_active=True, deleted_at__isnull=True),
                name="schedule_due",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"], condition=LIVE, name="schedule_slug_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cron(self) -> str:
        c = self.crontab
        return f"{c.minute} {c.hour} {c.day_of_month} {c.month_of_year} {c.day_of_week}"

    @property
    def time_zone(self) -> str:
        return str(self.crontab.timezone)
