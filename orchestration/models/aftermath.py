"""What should have followed from the end of a run and could not."""

from django.db import models
from django.utils import timezone

from common.scoping import OrganizationOwned
from orchestration.models.runs import Run


class Aftermath(OrganizationOwned):
    """A receiver of ``signals.run_ended`` that raised; it is called again until it succeeds."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="+")
    #: The name under which it was connected.
    receiver = models.CharField(max_length=60)
    tries = models.PositiveIntegerField(default=1)
    next_at = models.DateTimeField(db_index=True)
    #: The class of what it raised; the worker's log has the rest.
    error = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(OrganizationOwned.Meta):
        verbose_name = "unfinished aftermath of a run"
        verbose_name_plural = "unfinished aftermaths of runs"
        ordering = ["next_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "receiver"], name="aftermath_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver} after {self.run}"
