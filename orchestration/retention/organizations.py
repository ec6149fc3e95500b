"""Organizations whose days of grace are over, with everything that is theirs."""

import logging
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from audit import services as audit
from audit.models import AuditEvent
from common.scoping import OrganizationOwned
from orchestration.models import RunStep, Status
from orchestration.retention.pruners import Pace, Pruner, counted
from orchestration.retention.trash import RETENTION
from tenants.models import Organization

logger = logging.getLogger("datanika.retention")

#: Below the data directory, by organization.
DIRECTORIES = ("files", "work", "cache")


def _doomed(now: datetime) -> QuerySet[Organization]:
    """A step that still runs would write to what is gone."""
    busy = RunStep.all_organizations.filter(status=Status.RUNNING).values("organization")
    rows = Organization.objects.filter(deletion_requested_at__isnull=False, delete_after__lte=now)
    return rows.exclude(pk__in=busy).order_by("delete_after", "pk")


def tables() -> list[type[OrganizationOwned]]:
    """Every table with rows of organizations: the ways in first, then what refers before what it refers to.

    Nobody sees an organization that is half gone, and the log of what was done in it goes last.
    """
    owned = [model for model in apps.get_models() if issubclass(model, OrganizationOwned)]
    ordered: list[type[OrganizationOwned]] = []

    def visit(model: type[OrganizationOwned]) -> None:
        if model in ordered:
            return
        for other in owned:
            if other is not model and model in _targets(other):
                visit(other)
        ordered.append(model)

    for model in sorted(owned, key=_rank):
        visit(model)
    return ordered


def _rank(model: type[OrganizationOwned]) -> int:
    if model is AuditEvent:
        return 2
    return 0 if model._meta.app_label == "tenants" else 1


def _targets(model: type[OrganizationOwned]) -> set[Any]:
    return {
        field.related_model
        for field in model._meta.get_fields()
        if field.many_to_one or (field.one_to_one and field.concrete)
    }


def _batches(now: datetime, pace: Pace) -> Iterator[int]:
    for organization in list(_doomed(now)):
        for model in tables():
            yield from _rows(model, organization, pace)
        for name in DIRECTORIES:
            # Other machines find what is left in theirs by themselves.
            shutil.rmtree(Path(settings.DATA_DIR) / name / str(organization.pk), ignore_errors=True)
        name, asked = organization.slug, organization.deletion_requested_by
        with transaction.atomic():
            audit.remove_chain(organization, actor=RETENTION)
            organization.delete()
        logger.warning("organization %s is removed for good, as asked for by %s", name, asked)
        yield 1


def _rows(model: type[OrganizationOwned], organization: Organization, pace: Pace) -> Iterator[int]:
    if model is AuditEvent:
        while audit.take_all(organization.pk, pace.size):
            yield 0
        return
    rows = model.all_organizations.filter(organization=organization).order_by("pk")
    while keys := list(rows.values_list("pk", flat=True)[: pace.size]):
        with transaction.atomic():
            model.all_organizations.filter(pk__in=keys).delete()
        yield 0


ORGANIZATIONS = Pruner(
    "organizations",
    "Deleted organizations, with everything in them",
    _batches,
    lambda now, most: counted(_doomed(now), most),
)
