"""What happened, to what, by whom, from where; and the chain that shows whether it was changed since.

Rows are written once. The database refuses updates, and deletions by anybody but retention (``audit.database``).
"""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from audit.actions import action_choices
from audit.digests import FIELDS, content_digest
from common.errors import DatanikaError
from common.scoping import OrganizationOwned

#: The chain of the events of the whole installation; the others have the number of their organization.
INSTALLATION = 0


class AuditIsAppendOnly(DatanikaError):
    """Audit events are never changed or deleted."""

    code = "audit_append_only"


class AuditEvent(OrganizationOwned):
    """One thing that an actor did in an organization, or in the whole installation."""

    #: None for what belongs to no organization, such as a sign-in of an address nobody has.
    organization = models.ForeignKey(  # type: ignore[assignment]
        "tenants.Organization", models.CASCADE, related_name="+", null=True, blank=True
    )
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
    #: SHA-256 of all the above; the database links it to the event before.
    content_digest = models.CharField(max_length=64, default="", db_default="", editable=False)

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
        self.content_digest = content_digest({name: getattr(self, name) for name in FIELDS})
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AuditIsAppendOnly


class AuditChain(models.Model):
    """Where the chain of an organization, or of the installation, ends and begins. Triggers move the end."""

    id = models.BigIntegerField(primary_key=True)
    sequence = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    #: The last link that retention took away: the first that is left hangs on its digest.
    pruned_sequence = models.BigIntegerField(default=0)
    pruned_digest = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"Chain {self.pk}"


class AuditLink(models.Model):
    """The place of an event in its chain. Triggers write it, from the digests of the event and of the link before."""

    event = models.OneToOneField(
        AuditEvent,
        models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="link",
    )
    chain = models.ForeignKey(
        AuditChain, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="links"
    )
    sequence = models.BigIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "sequence"], name="audit_one_link_a_place")
        ]

    def __str__(self) -> str:
        return f"{self.chain_id}/{self.sequence}"
