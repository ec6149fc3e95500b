"""Which pipelines use a connection (``connections.usage``)."""

from collections import Counter

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import ngettext

from connections.models import Connection
from connections.usage import UsageSource, Use
from pipelines.models import Pipeline
from tenants.models import Organization


def pipelines_of(connection: Connection) -> list[Use]:
    rows = Pipeline.objects.for_organization(connection.organization).filter(
        Q(source=connection) | Q(destination=connection)
    )
    slug = connection.organization.slug
    return [
        Use("pipeline", row.name, reverse("pipelines:pipeline-detail", args=[slug, row.slug]))
        for row in rows
    ]


def counts(organization: Organization) -> dict[int, int]:
    """Pipelines by connection id; one that reads and writes the same connection counts once."""
    pairs = Pipeline.objects.for_organization(organization).values_list("source", "destination")
    return Counter(connection for pair in pairs for connection in set(pair))


def words(number: int) -> str:
    return ngettext("%(number)d pipeline", "%(number)d pipelines", number) % {"number": number}


SOURCE = UsageSource(of=pipelines_of, counts=counts, words=words)
