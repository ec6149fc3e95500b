"""Persons, and the providers elsewhere that vouch for them."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from common.crypto import EncryptedJSONField


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


class ProviderKind(models.TextChoices):
    GOOGLE = "google"
    GITHUB = "github"
    OPENID_CONNECT = "openid_connect"


class IdentityProvider(models.Model):
    """A sign-in with somebody else's accounts, set up by operators: Google, GitHub or any OpenID Connect server."""

    kind = models.CharField(max_length=16, choices=ProviderKind)
    #: In the address people are sent back to; Google and GitHub have their own, hence one of each.
    slug = models.SlugField(max_length=40, unique=True)
    #: On the button of the sign-in page.
    name = models.CharField(max_length=40)
    client_id = models.CharField(max_length=200)
    #: ``client_secret``; written by operators, shown to nobody.
    secrets = EncryptedJSONField(blank=True)
    #: The issuer of an OpenID Connect provider.
    server_url = models.URLField(max_length=300, blank=True)
    #: Domains of e-mail addresses that may come this way; empty is every one.
    domains = models.JSONField(default=list, blank=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=ProviderKind.values), name="identity_provider_kind_is_known"
            )
        ]

    def __str__(self) -> str:
        return self.name
