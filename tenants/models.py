"""People, the organizations they belong to, and the keys that machines use."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from common.access import Role
from common.scoping import OrganizationOwned


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        user = self.model(email=email.strip().lower(), **extra)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address."""

    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    #: Operators of the installation: they may enter the Django admin.
    is_staff = models.BooleanField("operator", default=False)
    date_joined = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique_whatever_case")
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def display_name(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        words = self.display_name.replace("@", " ").replace(".", " ").split()
        return "".join(word[0] for word in words[:2]).upper()


class Organization(models.Model):
    """A tenant: everything a team builds belongs to exactly one organization."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=64, unique=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    #: Where transformations land when they name no schema.
    default_schema = models.CharField(max_length=63, default="analytics")
    max_concurrent_runs = models.PositiveSmallIntegerField(default=4)
    #: The queue of its steps; empty is the default one. Workers choose with --queues which they serve.
    queue = models.SlugField(max_length=40, blank=True)
    #: Limits of one step; None takes the platform's.
    step_timeout_seconds = models.PositiveIntegerField(null=True, blank=True)
    step_memory_mb = models.PositiveIntegerField(null=True, blank=True)
    step_cpu_seconds = models.PositiveIntegerField(null=True, blank=True)
    step_disk_mb = models.PositiveIntegerField(null=True, blank=True)
    #: All of its schedules rest from then on.
    schedules_paused_at = models.DateTimeField(null=True, blank=True)
    schedules_paused_by = models.CharField(max_length=200, blank=True)
    #: The number of the newest run; incremented under a row lock.
    last_run_number = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.name.split()[:2]).upper()


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
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "platform settings"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="platform_settings_one_row")]

    def __str__(self) -> str:
        return "Platform settings"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = 1
        super().save(*args, **kwargs)


class Membership(OrganizationOwned):
    """A person's place in an organization."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=[(r.value, r.value.title()) for r in Role])
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["user__email"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"], name="membership_one_per_person"
            ),
            models.CheckConstraint(
                condition=Q(role__in=[r.value for r in Role]), name="membership_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Invitation(OrganizationOwned):
    """An offer to join, held by whoever has the link; only the token's hash is stored."""

    email = models.EmailField()
    role = models.CharField(max_length=8, choices=[(r.value, r.value.title()) for r in Role])
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"

    @property
    def is_open(self) -> bool:
        unused = self.accepted_at is None and self.revoked_at is None
        return unused and self.expires_at > timezone.now()


class ApiKey(OrganizationOwned):
    """A machine's way in. The key itself is shown once; its SHA-256 finds the row again."""

    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    key_hash = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=8, choices=[(r.value, r.value.title()) for r in Role])
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        fresh = self.expires_at is None or self.expires_at > timezone.now()
        return fresh and self.revoked_at is None
