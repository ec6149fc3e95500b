"""What a rule watches, as rows."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from alerts.models import AlertRule, Scope
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import Materialization, Transformation


def pipelines_in(rule: AlertRule) -> list[Pipeline]:
    """Living pipelines of the rule that are not paused."""
    rows: QuerySet[Pipeline] = Pipeline.objects.for_organization(rule.organization)
    rows = rows.filter(is_paused=False).only("name", "slug", "tags", "created_at", "organization")
    if rule.pipeline_id is not None:
        rows = rows.filter(pk=rule.pipeline_id)
    return [row for row in rows if rule.scope != Scope.TAG or rule.tag in row.tags]


def transformations_in(rule: AlertRule) -> list[Transformation]:
    """Living transformations of the rule that leave something behind when they are built."""
    if rule.scope == Scope.PIPELINE:
        return []
    rows = Transformation.objects.for_organization(rule.organization)
    rows = rows.exclude(materialization=Materialization.EPHEMERAL)
    rows = rows.only("name", "tags", "created_at", "organization")
    return [row for row in rows if rule.scope != Scope.TAG or rule.tag in row.tags]


def keys_in(rule: AlertRule, keys: Iterable[str], tags: dict[str, list[Any]]) -> set[str]:
    """Those of the node keys that the rule watches."""
    match rule.scope:
        case Scope.PIPELINE:
            own = f"pipeline:{rule.pipeline.slug}" if rule.pipeline else ""
            return {key for key in keys if key == own}
        case Scope.TAG:
            return {key for key in keys if rule.tag in tags.get(key, ())}
    return set(keys)


def tags_of(organization: Organization, keys: Iterable[str]) -> dict[str, list[Any]]:
    """The tags of these nodes, by key."""
    names: dict[str, list[str]] = {"pipeline": [], "transformation": []}
    for key in keys:
        kind, _, name = key.partition(":")
        names.setdefault(kind, []).append(name)
    pipelines = Pipeline.objects.for_organization(organization).filter(slug__in=names["pipeline"])
    transformations = Transformation.objects.for_organization(organization)
    models = transformations.filter(name__in=names["transformation"])
    found = {f"pipeline:{slug}": tags for slug, tags in pipelines.values_list("slug", "tags")}
    return found | {
        f"transformation:{name}": tags for name, tags in models.values_list("name", "tags")
    }


def known_tags(organization: Organization) -> list[str]:
    """Every tag that something of the organization has, in order."""
    found: set[str] = set()
    for rows in (
        Pipeline.objects.for_organization(organization),
        Transformation.objects.for_organization(organization),
    ):
        for tags in rows.values_list("tags", flat=True):
            found.update(map(str, tags))
    return sorted(found)
