"""What the tests of services, pages and API have in common."""

import io
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from conftest_site import Person
from connections import services
from connections.models import Connection
from tenants.models import Organization

#: A secret that must never be seen again.
CANARY = "canary-7f3e-horse"
UNREACHABLE: dict[str, Any] = {"host": "127.0.0.1", "port": 1, "database": "shop", "user": "reader"}


def make(
    organization: Organization,
    person: Person,
    name: str,
    connector: str = "postgres",
    use_as: str = "source",
    **values: Any,
) -> Connection:
    """A saved connection; PostgreSQL that nobody answers for unless ``values`` say otherwise."""
    given = values or {**UNREACHABLE, "password": CANARY}
    return services.create_connection(
        organization=organization,
        actor=person.actor,
        name=name,
        connector=connector,
        values=given,
        use_as=use_as if connector in ("postgres", "duckdb") else "",
    )


def upload(organization: Organization, person: Person, name: str, content: bytes) -> str:
    return services.store_upload(
        organization=organization,
        actor=person.actor,
        name=name,
        content=io.BytesIO(content),
        size=len(content),
    )


def values_of(postgres_url: str, **changes: Any) -> dict[str, Any]:
    """The form values of a real server."""
    parts = conninfo_to_dict(postgres_url)
    return {
        "host": parts["host"],
        "port": parts["port"],
        "database": parts["dbname"],
        "user": parts["user"],
        "password": parts["password"],
        **changes,
    }


def base(organization: Organization) -> str:
    return f"/o/{organization.slug}/connections/"


def api(organization: Organization) -> str:
    return f"/api/v1/organizations/{organization.slug}/"
