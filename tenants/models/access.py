"""The ways in: invitations for people, keys and tokens for machines."""

from django.db import models
from django.utils import timezone

from common.access import Role
from common.scoping import OrganizationOwned
from tenants.models.organizations import Membership
from tenants.models.people import User


class Invitation(OrganizationOwned):
    """An offer to join, held by whoever has the link; only the token's hash is stored."""

    email = models.EmailField()
    role = models.CharField(max_length=8, choices=[(r.value, r.value.title()) for r in Role])
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_sent_at = models.DateTimeField(null=True, blank=True)
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
    #: Words of ``tenants.scopes``; what a key may do is what both its role and its scopes allow.
    scopes = models.JSONField(default=list, blank=True)
    #: After a rotation the text before it still works for a while.
    previous_hash = models.CharField(max_length=64, blank=True, db_index=True)
    previous_expires_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_ip = models.GenericIPAddressField(null=True, blank=True)
    rotated_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        fresh = self.expires_at is None or self.expires_at > timezone.now()
        return fresh and self.revoked_at is None


class TokenFamily(OrganizationOwned):
    """One sign-in of the API: its access tokens and the refresh tokens that follow one another.

    Bound to the membership: it goes when the person goes. Only the newest refresh token works; one used
    before it is the sign of a theft, and revokes the family.
    """

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="+")
    #: The id inside the newest refresh token.
    current_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"Tokens of {self.membership}"
