"""What a row names belongs to the organization of the row: the last wall before a mistake is stored.

Views and services find things through their organization. Should one forget to, the save fails here.
"""

from functools import lru_cache
from typing import Any

from django.db.models import ForeignKey, Model
from django.db.models.signals import pre_save

from common.errors import NotFound
from common.scoping import OrganizationOwned


class NotOfThisOrganization(NotFound):
    """There is no such thing in this organization."""

    code = "not_of_this_organization"


@lru_cache(maxsize=256)
def _references(model: type[Model]) -> tuple[str, ...]:
    """The names of its foreign keys to rows that belong to organizations too."""
    return tuple(
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey) and issubclass(field.related_model, OrganizationOwned)
    )


def check_belonging(sender: type[Model], instance: Model, **_: Any) -> None:
    """Raise ``NotOfThisOrganization`` for a row that names one of another organization."""
    if not isinstance(instance, OrganizationOwned):
        return
    for name in _references(sender):
        # Only what somebody has put there: nothing is asked of the database.
        named = instance._state.fields_cache.get(name)
        if named is not None and named.organization_id != instance.organization_id:
            raise NotOfThisOrganization(field=name)


def watch() -> None:
    """Ask before every save, from now on."""
    pre_save.connect(check_belonging, dispatch_uid="belonging")
