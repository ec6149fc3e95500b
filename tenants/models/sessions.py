"""The sessions of people in browsers, as far as they want to know them."""

from django.contrib.sessions.models import Session
from django.db import models
from django.utils import timezone

from tenants.models.people import User


class BrowserSession(models.Model):
    """Where a session comes from and when it was used. It goes with the session, whoever ends that."""

    session = models.OneToOneField(
        Session, models.CASCADE, related_name="+", db_column="session_key"
    )
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return f"Session {self.pk}"
