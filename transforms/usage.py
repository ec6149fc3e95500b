"""Which transformations use a connection (``connections.usage``)."""

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import ngettext

from connections.models import Connection
from connections.usage import UsageSource, Use
from tenants.models import Organization
from transforms.models import Transformation


def transformations_of(connection: Connection) -> list[Use]:
    rows = Transformation.objects.for_organization(connection.organization)
    slug = connection.organization.slug
    return [
        Use("transformation", name, reverse("transforms:transformation-detail", args=[slug, name]))
        for name in rows.filter(connection=connection).values_list("name", flat=True)
    ]


def counts(organization: Organization) -> dict[int, int]:
    """Transformations by connection id."""
    rows = Transformation.objects.for_organization(organization)
    return dict(rows.order_by().values_list("connection").annotate(Count("pk")))


def words(number: int) -> str:
    text = ngettext("%(number)d transformation", "%(number)d transformations", number)
    return text % {"number": number}


SOURCE = UsageSource(of=transformations_of, counts=counts, words=words)
