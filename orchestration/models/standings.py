"""How pipelines stand, kept beside the runs so that no page has to look through them."""

from django.db import models

from common.scoping import OrganizationOwned
from orchestration.models.vocabulary import Status


class Tone(models.TextChoices):
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Standing(OrganizationOwned):
    """What the last run of a pipeline came to. Written when a run ends, and kept when that run is pruned."""

    pipeline = models.OneToOneField("pipelines.Pipeline", models.CASCADE, related_name="+")
    status = models.CharField(max_length=10, choices=Status)
    tone = models.CharField(max_length=4, choices=Tone)
    run_number = models.PositiveBigIntegerField()
    ended_at = models.DateTimeField()
    #: The last time it succeeded; None before the first.
    succeeded_at = models.DateTimeField(null=True, blank=True)
    #: Failures in a row up to now.
    failures = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    #: The end whose connection is to be mended, ``source`` or ``destination``; empty where it is neither, or not known.
    #: With a default of the database: workers of the version before write no such column.
    error_end = models.CharField(max_length=11, blank=True, default="", db_default="")
    rejected_rows = models.BigIntegerField(default=0)
    #: The table with the rejected rows, empty where several have some, and the first reason.
    rejected_table = models.CharField(max_length=255, blank=True)
    rejected_reason = models.TextField(blank=True)

    class Meta(OrganizationOwned.Meta):
        indexes = [
            models.Index(fields=["organization", "tone", "-ended_at"], name="standing_by_tone"),
        ]

    def __str__(self) -> str:
        return f"{self.pipeline}: {self.status}"
