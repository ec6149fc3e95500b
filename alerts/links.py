"""Paths of what an alert speaks of; a message puts the installation's address before them."""

from django.conf import settings
from django.urls import reverse

from orchestration.models import Run
from tenants.models import Organization


def page(organization: Organization, name: str, *args: object) -> str:
    return reverse(name, args=[organization.slug, *args])


def path_of(organization: Organization, key: str) -> str:
    """The page of a subject's key."""
    kind, _, name = key.partition(":")
    match kind:
        case "pipeline":
            return page(organization, "pipelines:pipeline-detail", name)
        case "transformation":
            return page(organization, "transforms:transformation-detail", name)
    return page(organization, "orchestration:schedule-list")


def run_path(run: Run) -> str:
    return page(run.organization, "orchestration:run-detail", run.number)


def absolute(path: str) -> str:
    """The address people open; empty stays empty."""
    return f"{settings.BASE_URL}{path}" if path else ""
