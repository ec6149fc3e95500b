"""What operators decide for the whole installation."""

from typing import Any

from django.db import models
from django.db.models import Q

from common.crypto import EncryptedJSONField


class SignUpPolicy(models.TextChoices):
    OPEN = "open"
    INVITATION = "invitation", "invitation only"
    DOMAINS = "domains", "invitation, or an e-mail address of certain domains"
    CLOSED = "closed"


class PlatformSettings(models.Model):
    """What operators decide for the whole installation; one row. None leaves it to the environment's default."""

    #: Steps that run at once on all workers together; None is as many as there are slots.
    max_concurrent_steps = models.PositiveIntegerField(null=True, blank=True)
    step_timeout_seconds = models.PositiveIntegerField(null=True, blank=True)
    step_memory_mb = models.PositiveIntegerField(null=True, blank=True)
    step_cpu_seconds = models.PositiveIntegerField(null=True, blank=True)
    #: Of a step's directories on the worker.
    step_disk_mb = models.PositiveIntegerField(null=True, blank=True)
    #: Days; None keeps for ever.
    log_retention_days = models.PositiveIntegerField(default=30, null=True, blank=True)
    run_retention_days = models.PositiveIntegerField(default=365, null=True, blank=True)
    capsule_retention_days = models.PositiveIntegerField(default=90, null=True, blank=True)
    audit_retention_days = models.PositiveIntegerField(null=True, blank=True)
    #: Asked for every minute while the scheduler lives: a monitor elsewhere notices when it does not.
    heartbeat_url = models.URLField(max_length=500, blank=True)
    #: Who may make an account without an invitation.
    sign_up_policy = models.CharField(
        max_length=12, choices=SignUpPolicy, default=SignUpPolicy.INVITATION
    )
    #: For ``SignUpPolicy.DOMAINS``.
    sign_up_domains = models.JSONField(default=list, blank=True)
    #: Days until a new API key expires, unless its maker says otherwise, and the most they may say.
    api_key_days = models.PositiveIntegerField(default=90)
    api_key_most_days = models.PositiveIntegerField(null=True, blank=True)
    #: ``private-allowed`` or ``public-only``; empty takes the environment's.
    egress_policy = models.CharField(max_length=16, blank=True)
    #: None takes the environment's.
    allowed_file_roots = models.JSONField(null=True, blank=True)
    #: Keys of connectors that are offered; None is every one.
    allowed_connectors = models.JSONField(null=True, blank=True)
    #: Python models of dbt run any code in the sandbox.
    are_python_models_allowed = models.BooleanField(default=False)
    #: Names of dbt packages that projects may use; None is every one.
    allowed_dbt_packages = models.JSONField(null=True, blank=True)
    #: MiB of one uploaded file; None takes the environment's.
    max_upload_mb = models.PositiveIntegerField(null=True, blank=True)
    #: On every page, such as a planned maintenance.
    banner = models.CharField(max_length=300, blank=True)
    #: None takes the environment's mail server: ``host port user security from`` and, encrypted, ``password``.
    mail = models.JSONField(null=True, blank=True)
    mail_secrets = EncryptedJSONField(blank=True)
    #: Days in the trash, and of grace for a deleted organization.
    trash_retention_days = models.PositiveIntegerField(default=30, null=True, blank=True)
    organization_grace_days = models.PositiveIntegerField(default=14)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "platform settings"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="platform_settings_one_row")]

    def __str__(self) -> str:
        return "Platform settings"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = 1
        super().save(*args, **kwargs)
