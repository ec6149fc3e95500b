"""The workers that are there, as they say themselves."""

from django.db import models
from django.utils import timezone


class Worker(models.Model):
    """A worker process; it renews its row every few seconds and takes it along when it ends in order."""

    #: ``host:pid``.
    name = models.CharField(max_length=120, unique=True)
    queues = models.JSONField(default=list)
    slots = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    #: It finishes what it has and takes nothing new.
    is_draining = models.BooleanField(default=False)
    version = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
