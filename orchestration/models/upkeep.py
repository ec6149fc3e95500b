"""What the installation does for itself, and how it last went."""

from django.db import models
from django.utils import timezone


class Upkeep(models.Model):
    """A chore of the installation: the tick, the dead-man's ping, the pruning. One row each."""

    name = models.CharField(max_length=40, primary_key=True)
    #: When it was last done, or tried.
    at = models.DateTimeField(default=timezone.now)
    is_good = models.BooleanField(default=True)
    #: In words, when it did not go well.
    note = models.CharField(max_length=500, blank=True)
    details = models.JSONField(default=dict, blank=True)
    #: Somebody is at it until then, at the latest.
    busy_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "storage"
        verbose_name_plural = "storage"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
