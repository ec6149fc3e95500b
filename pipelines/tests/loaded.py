"""A pipeline whose runs are real: SQLite into DuckDB, in the children that a worker would start."""

import sqlite3
from contextlib import closing
from typing import Any

import duckdb
from django.urls import reverse

from conftest_site import Person
from connections.runner import files_root
from datanika_site.tests.scenario import Shop
from orchestration import services as orchestration
from orchestration.models import Run
from pipelines.models import Pipeline
from pipelines.tests.factories import make_database
from tenants.models import Organization

#: Orders are merged by their id and put aside where they do not fit; customers are replaced.
ORDERS = {
    "name": "orders",
    "write_disposition": "merge",
    "primary_key": ["id"],
    "cursor_column": "updated_at",
    "schema_contract": {"data_type": "discard_row"},
}
APPENDED = {"name": "orders", "write_disposition": "append", "cursor_column": "updated_at"}


class Loaded(Shop):
    """The whole shop as a pipeline, with a door to both ends."""

    def sql(self, *statements: str) -> None:
        """Changes the source."""
        with closing(sqlite3.connect(self.files / "shop.sqlite")) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Looks at the destination."""
        with duckdb.connect(str(self.files / "warehouse.duckdb"), read_only=True) as warehouse:
            return warehouse.execute(query).fetchall()

    def load(self, **asked: Any) -> Run:
        run = orchestration.request_run(
            organization=self.organization, actor=self.actor, target="pipeline:shop", **asked
        )
        return self.work(run)

    def url(self, page: str, *args: object) -> str:
        slugs = [self.organization.slug, self.pipeline.slug, *args]
        return reverse(f"pipelines:{page}", args=slugs)

    def break_destination(self) -> None:
        (self.files / "warehouse.duckdb").write_text("no database " * 200)


def make_loaded(organization: Organization, person: Person, *resources: dict[str, Any]) -> Loaded:
    pipeline: Pipeline = make_database(
        organization, person, resources=list(resources) or [ORDERS], write_disposition="replace"
    )
    files_root(organization).mkdir(exist_ok=True)
    return Loaded(organization, person.actor, pipeline.source, pipeline.destination, pipeline)


#: Three rows that do not fit: a total that is text, and one without any.
BAD_ROWS = (
    "INSERT INTO orders VALUES (11, 'paid', 'a lot', '2024-01-11')",
    "INSERT INTO orders VALUES (12, 'paid', 'nothing', '2024-01-12')",
    "INSERT INTO orders VALUES (13, 'paid', '', '2024-01-13')",
)
