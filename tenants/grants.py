"""What was shared with a person: django-guardian's permissions on single connections and pipelines.

One row says what a person was given on one object: ``view_…``, ``run_…`` or ``edit_…``, each of which includes those
before it (``common.access.GRANTS``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from guardian.models import UserObjectPermission

from common.access import GRANTS, Permission
from common.scoping import OrganizationOwned


def codename(permission: Permission, model: type[OrganizationOwned]) -> str:
    """Of guardian's permission, such as ``run_pipeline``."""
    return f"{permission}_{model._meta.model_name}"


def permission_of(name: str, model: str) -> Permission | None:
    """The reverse; None for a permission of Django's own, such as ``delete_pipeline``."""
    word, _, about = name.partition("_")
    known = word in GRANTS
    return Permission(word) if known and about == model else None


class Grants:
    """What one person was given in one organization; read at the first question and then remembered.

    Objects of other organizations may be among what is read: ``Actor`` asks only about its own.
    """

    def __init__(self, user_id: int, organization_id: int) -> None:
        self.user_id = user_id
        self.organization_id = organization_id

    @cached_property
    def _given(self) -> dict[tuple[str, str], Permission]:
        rows = rows_of_user(self.user_id).values_list(
            "content_type__model", "object_pk", "permission__codename"
        )
        found = {(model, pk): permission_of(name, model) for model, pk, name in rows}
        return {key: permission for key, permission in found.items() if permission}

    @property
    def exist(self) -> bool:
        """Whether there is any, here or elsewhere."""
        return bool(self._given)

    def allow(self, thing: OrganizationOwned) -> frozenset[Permission]:
        """What the grant on this object allows; nothing where there is none."""
        if thing.organization_id != self.organization_id:
            return frozenset()
        given = self._given.get((str(thing._meta.model_name), str(thing.pk)))
        return GRANTS[given] if given else frozenset()


@dataclass(frozen=True)
class Shared:
    """One thing that a person was given."""

    thing: Any
    permission: Permission

    @property
    def kind(self) -> str:
        return str(self.thing._meta.model_name)


def rows_of_user(user_id: int) -> QuerySet[UserObjectPermission]:
    rows = UserObjectPermission.objects.filter(user_id=user_id)
    return rows.select_related("content_type", "permission").order_by("pk")


def rows_on(thing: OrganizationOwned) -> QuerySet[UserObjectPermission]:
    """Of every person on one object."""
    kind = ContentType.objects.get_for_model(thing)
    rows = UserObjectPermission.objects.filter(content_type=kind, object_pk=str(thing.pk))
    return rows.select_related("permission").order_by("pk")


def shared_in(user_id: int, organization_id: int) -> Iterator[tuple[UserObjectPermission, Any]]:
    """The person's rows that are about things of this organization, the trash included, each with its thing."""
    by_kind: dict[ContentType, dict[str, UserObjectPermission]] = {}
    for row in rows_of_user(user_id):
        if permission_of(row.permission.codename, row.content_type.model):
            by_kind.setdefault(row.content_type, {})[row.object_pk] = row
    for kind, rows in by_kind.items():
        model: Any = kind.model_class()
        if model is None or not issubclass(model, OrganizationOwned):
            continue
        things = model.all_organizations.filter(organization=organization_id, pk__in=list(rows))
        for thing in things.select_related("organization"):
            yield rows[str(thing.pk)], thing
