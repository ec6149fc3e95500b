"""What happened, to what, by whom, from where. Rows are written once and never changed."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from audit.actions import action_choices
from common.errors import DatanikaError
from common.scoping import OrganizationOwned


class AuditIsAppendOnly(DatanikaError):
    """Audit events are never changed or deleted."""

    code = "audit_append_only"


class AuditEvent(OrganizationOwned):
    """One thing that an actor did in an organization."""

    at = models.DateTimeField(default=timezone.now)
    actor_kind = models.CharField(max_length=16)
    actor_label = models.CharField(max_length=200)
    actor_id = models.CharField(max_length=40, blank=True)
    action = models.CharField(max_length=40, choices=action_choices)
    target_type = models.CharField(max_length=40, blank=True)
    target_id = models.CharField(max_length=40, blank=True)
    #: The target's name at that time; it may be renamed or gone by now.
    target_label = models.CharField(max_length=200, blank=True)
    #: ``{"field": [before, after]}``, secrets masked.
    changes = models.JSONField(default=dict, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["organization", "-at", "-id"], name="audit_by_time"),
            models.Index(fields=["organization", "action", "-at"], name="audit_by_action"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_label} {self.action} {self.target_label}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AuditIsAppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AuditIsAppendOnly
