"""Addresses of what a node, a run or an error speaks of: templates get URLs, never build them from keys."""

from functools import lru_cache
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from connections.models import Connection
from orchestration.models import Run, Schedule
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import Transformation


def page(organization: Organization, name: str, *args: Any) -> str:
    """``reverse`` below ``/o/<organization>/``."""
    return _reversed(name, organization.slug, *args)


@lru_cache(maxsize=4096)
def _reversed(name: str, *args: Any) -> str:
    # A page asks for a hundred of them, and they never change.
    return reverse(name, args=args)


def pipeline_url(organization: Organization, slug: str) -> str:
    return page(organization, "pipelines:pipeline-detail", slug)


def rejects_url(organization: Organization, slug: str, table: str = "") -> str:
    """The rejected rows of a pipeline, or of one table (of the destination) of it."""
    url = page(organization, "pipelines:pipeline-rejects", slug)
    return f"{url}?{urlencode({'table': table})}" if table else url


def transformation_url(organization: Organization, name: str) -> str:
    return page(organization, "transforms:transformation-detail", name)


def connection_url(organization: Organization, slug: str) -> str:
    return page(organization, "connections:connection-detail", slug)


def run_url(run: Run) -> str:
    return page(run.organization, "orchestration:run-detail", run.number)


def runs_url(organization: Organization, target: str) -> str:
    """The runs in which ``pipeline:<slug>``, ``schedule:<slug>``, … had a part."""
    return f"{page(organization, 'orchestration:run-list')}?{urlencode({'target': target})}"


def key_url(organization: Organization, key: str) -> str:
    """The page of a node's key; the lineage for ``dag``."""
    kind, _, name = key.partition(":")
    match kind:
        case "pipeline":
            return pipeline_url(organization, name)
        case "transformation":
            return transformation_url(organization, name)
        case "connection":
            return connection_url(organization, name)
    return page(organization, "orchestration:lineage")


def thing_url(thing: Pipeline | Transformation | Connection | Schedule) -> str:
    organization = thing.organization
    match thing:
        case Pipeline():
            return pipeline_url(organization, thing.slug)
        case Transformation():
            return transformation_url(organization, thing.name)
        case Connection():
            return connection_url(organization, thing.slug)
    return page(organization, "orchestration:schedule-update", thing.slug)
