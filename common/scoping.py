"""Rows that belong to an organization, and the one door through which they are read."""

from typing import Any, ClassVar, NoReturn, Self, TypeVar

from django.db import models
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.text import slugify

from common.errors import UnscopedQueryError

M = TypeVar("M", bound=Model)

_REMEDY = "Use .objects.for_organization(organization), or .all_organizations in operator code."


class OrganizationManager(models.Manager[M]):
    """Refuses every query that does not name the organization first."""

    def get_queryset(self) -> NoReturn:
        raise UnscopedQueryError(
            f"{self.model.__name__} rows are read through their organization.", remedy=_REMEDY
        )

    def for_organization(self, organization: Model) -> QuerySet[M]:
        """Rows of this organization only."""
        return super().get_queryset().filter(organization=organization)


class OrganizationOwned(models.Model):
    """Base of every table whose rows belong to an organization."""

    organization = models.ForeignKey("tenants.Organization", models.CASCADE, related_name="+")

    objects: ClassVar[OrganizationManager[Self]] = OrganizationManager()
    #: Loud on purpose: for admin, engines, commands and migrations.
    all_organizations: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        abstract = True
        # Admin, refresh_from_db and cascades need an unguarded manager.
        default_manager_name = "all_organizations"
        base_manager_name = "all_organizations"


class TrashableManager(OrganizationManager[M]):
    """``for_organization`` gives the living rows; ``trash_of`` the deleted."""

    def for_organization(self, organization: Model) -> QuerySet[M]:
        return super().for_organization(organization).filter(deleted_at__isnull=True)

    def trash_of(self, organization: Model) -> QuerySet[M]:
        return super().for_organization(organization).filter(deleted_at__isnull=False)


class Trashable(OrganizationOwned):
    """A row that a person may delete and restore; the deleted neither run nor block."""

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[TrashableManager[Self]] = TrashableManager()

    class Meta(OrganizationOwned.Meta):
        abstract = True

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    def put_in_trash(self) -> None:
        self.deleted_at = timezone.now()
        self.save(update_fields=["deleted_at"])


LIVE = Q(deleted_at__isnull=True)


def unique_slug(name: str, taken: QuerySet[Any], *, fallback: str) -> str:
    """A slug made from ``name`` that no row of ``taken`` has; a number is added where needed."""
    base = slugify(name)[:60] or fallback
    slugs = set(taken.filter(slug__startswith=base).values_list("slug", flat=True))
    candidate, number = base, 1
    while candidate in slugs:
        number += 1
        candidate = f"{base}-{number}"
    return candidate
