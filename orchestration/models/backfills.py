"""A range of a pipeline's cursor loaded again, slice by slice."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.scoping import OrganizationOwned
from orchestration.models.runs import Run
from orchestration.models.vocabulary import BackfillStatus, Status


class Backfill(OrganizationOwned):
    """The half-open range ``[range_from, range_to)`` of one table's cursor, in slices that are runs of their own.

    The slices run one after the other: a pipeline never runs twice at the same time.
    """

    number = models.PositiveIntegerField()
    pipeline = models.ForeignKey("pipelines.Pipeline", models.CASCADE, related_name="+")
    #: The resource whose rows are loaded again.
    resource = models.CharField(max_length=255)
    range_from = models.CharField(max_length=255)
    range_to = models.CharField(max_length=255)
    #: ``1 day``, ``6 hours`` or a number for cursors that are numbers.
    slice_size = models.CharField(max_length=32)
    status = models.CharField(max_length=10, choices=BackfillStatus, default=BackfillStatus.RUNNING)
    #: Why it paused by itself; empty when a person paused it, or nobody did.
    problem = models.TextField(blank=True)
    #: Rows that an estimate found in the range; None where it was not asked or could not count.
    estimated_rows = models.BigIntegerField(null=True, blank=True)
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField(default=timezone.now)
    #: Failures from before count no longer when it is asked whether too many came in a row.
    resumed_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-number"]
        indexes = [
            models.Index(
                fields=["status"],
                condition=Q(status=BackfillStatus.RUNNING),
                name="backfill_running",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "number"], name="backfill_number_unique"
            ),
            models.CheckConstraint(
                condition=Q(status__in=BackfillStatus.values), name="backfill_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Backfill #{self.number}"

    @property
    def is_open(self) -> bool:
        """It may still start slices, now or once it is resumed."""
        return self.status in {BackfillStatus.RUNNING, BackfillStatus.PAUSED}


class BackfillSlice(OrganizationOwned):
    """One slice: queued until it has a run, running until that has ended, then as that ended."""

    backfill = models.ForeignKey(Backfill, models.CASCADE, related_name="slices")
    position = models.PositiveIntegerField()
    range_from = models.CharField(max_length=255)
    range_to = models.CharField(max_length=255)
    #: Its newest run; None before the first, and when that was pruned.
    run = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="+")
    #: Runs it has had.
    attempts = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    rows_loaded = models.BigIntegerField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["backfill", "position"]
        indexes = [models.Index(fields=["run"], name="slice_by_run")]
        constraints = [
            models.UniqueConstraint(fields=["backfill", "position"], name="slice_position_unique"),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="slice_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.backfill} slice {self.position}"
