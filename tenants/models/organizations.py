"""Organizations and who belongs to them."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.access import Role
from common.scoping import OrganizationOwned
from tenants.models.people import User


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
    #: Nothing of it runs or changes while an operator has suspended it; its members may look.
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspended_by = models.CharField(max_length=200, blank=True)
    suspended_reason = models.CharField(max_length=300, blank=True)
    #: Deleted by an owner: it rests, and is gone for good at ``delete_after`` unless restored before.
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    deletion_requested_by = models.CharField(max_length=200, blank=True)
    delete_after = models.DateTimeField(null=True, blank=True)
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.name.split()[:2]).upper()

    @property
    def is_at_rest(self) -> bool:
        """Suspended or about to be deleted: members may look, nothing runs or changes."""
        return self.suspended_at is not None or self.deletion_requested_at is not None


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
