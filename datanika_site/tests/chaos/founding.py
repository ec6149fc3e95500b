"""Run once inside the installation (``manage.py shell``): the organizations, and all that the scenarios use.

Prints one JSON object with how to sign in.
"""

import json
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from common.access import Role
from connections import services as connections
from connections.models import Connection
from datanika_site.tests.chaos import shop
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import Mode, WriteDisposition
from tenants import services as tenants
from tenants.actors import Actor
from tenants.models import Membership, Organization, User
from transforms import services as transforms
from transforms.services import TransformationDefinition

QUEUE = "beta"
PLACES = 20


def found(source: dict[str, Any], warehouse: dict[str, Any]) -> str:
    """Olga's organization Acme with everything, and Beta, whose steps wait in a queue of their own."""
    olga = tenants.create_user(email="olga@example.com", name="Olga", password="correct horse")
    acme = Founding(olga, "Acme", source, warehouse)
    acme.everything()
    beta = Founding(olga, "Beta", source, warehouse)
    beta.pipeline(
        shop.OTHER, beta.connection("Shop", "postgres", source), "slow", Mode.SINGLE_TABLE
    )
    Organization.objects.filter(pk=beta.organization.pk).update(queue=QUEUE)
    return json.dumps(
        {
            "acme": {"pk": acme.organization.pk, "key": acme.key()},
            "beta": {"pk": beta.organization.pk, "key": beta.key()},
            "session": _session(olga),
        }
    )


class Founding:
    def __init__(
        self, owner: User, name: str, source: dict[str, Any], warehouse: dict[str, Any]
    ) -> None:
        self.source = source
        self.organization = tenants.create_organization(name=name, owner=owner)
        Organization.objects.filter(pk=self.organization.pk).update(max_concurrent_runs=PLACES)
        membership = Membership.objects.for_organization(self.organization).get(user=owner)
        self.actor = Actor.member(membership)
        self.warehouse = self.connection("Warehouse", "postgres", warehouse, "destination")

    def connection(
        self, name: str, connector: str, values: dict[str, Any], use_as: str = "source"
    ) -> Connection:
        return connections.create_connection(
            organization=self.organization,
            actor=self.actor,
            name=name,
            connector=connector,
            values=values,
            use_as=use_as,
        )

    def everything(self) -> None:
        server = self.connection("Shop", "postgres", self.source)
        for slug in shop.SLOW:
            self.pipeline(slug, server, "slow", Mode.SINGLE_TABLE)
        for slug in shop.ENDLESS:
            self.pipeline(slug, server, "endless", Mode.SINGLE_TABLE)
        self.pipeline(shop.MERGE, server, "orders", Mode.SINGLE_TABLE)
        lite = self.connection("Lite", "sqlite", {"path": shop.SQLITE_FILE})
        files = self.connection("Files", "csv", {"path": shop.CSV_FILE})
        for number in (1, 2):
            self.pipeline(f"lite-{number}", lite, "orders", Mode.SINGLE_TABLE, schema="main")
            self.pipeline(f"files-{number}", files, shop.CSV_FILE, Mode.FILES, schema="")
        source = f"{{{{ source('{shop.dataset(shop.SLOW[0])}', 'orders') }}}}"
        self.transformation(shop.TOTALS, f"select count(*) as orders from {source}")
        self.transformation(
            shop.ENDLESS_BUILD,
            "select count(*) as n from generate_series(1, 600) g where pg_sleep(1)::text = ''",
        )

    def pipeline(
        self, slug: str, source: Connection, table: str, mode: Mode, *, schema: str = "public"
    ) -> None:
        merge = slug == shop.MERGE
        resource = ResourceDefinition(
            name=table,
            target="orders",
            write_disposition=WriteDisposition.MERGE if merge else WriteDisposition.APPEND,
            primary_key=("id",) if merge else (),
            cursor_column="moved" if merge else "",
        )
        made = pipelines.create_pipeline(
            organization=self.organization,
            actor=self.actor,
            source=source,
            destination=self.warehouse,
            definition=PipelineDefinition(
                name=slug.replace("-", " ").capitalize(),
                dataset=shop.dataset(slug if self.organization.name == "Acme" else f"beta_{slug}"),
                mode=mode,
                source_schema=schema,
                resources=(resource,),
            ),
        )
        assert made.slug == slug, made.slug

    def transformation(self, name: str, sql: str) -> None:
        transforms.create_transformation(
            organization=self.organization,
            actor=self.actor,
            connection=self.warehouse,
            definition=TransformationDefinition(name=name, sql=sql, materialization="table"),
        )

    def key(self) -> str:
        _, text = tenants.issue_api_key(
            organization=self.organization, name="Machine", role=Role.OWNER, actor=self.actor
        )
        return text


def _session(user: User) -> str:
    """A signed-in session of hers, as the sign-in page makes one."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)
