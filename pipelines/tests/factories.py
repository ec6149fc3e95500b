"""A shop in an SQLite file, a DuckDB beside it, and a pipeline between them: all real."""

import sqlite3
from contextlib import closing
from typing import Any

from conftest_site import Person
from connections import services as connections
from connections.models import Connection
from connections.runner import files_root
from pipelines import services
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline
from tenants.actors import Actor
from tenants.models import Organization

_SHOP = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT NOT NULL, total REAL, updated_at TEXT);
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
INSERT INTO orders VALUES (1, 'paid', 10.5, '2024-01-01'), (2, 'draft', 3, '2024-01-02'),
    (3, 'paid', 99, '2024-01-03'), (4, 'sent', NULL, '2024-01-04');
INSERT INTO customers VALUES (1, 'Ada', 'DE'), (2, 'Grace', 'FR');
"""


def make_shop(organization: Organization) -> Connection:
    """A source with the tables orders (4 rows) and customers (2 rows)."""
    path = files_root(organization) / "shop.sqlite"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(_SHOP)
    return _connection(organization, "Shop", "sqlite", {"path": "shop.sqlite"}, "source")


def make_warehouse(organization: Organization) -> Connection:
    values = {"path": "warehouse.duckdb"}
    return _connection(organization, "Warehouse", "duckdb", values, "destination")


def make_csv(organization: Organization) -> Connection:
    """A source of two files, weather/a.csv and weather/b.csv."""
    folder = files_root(organization) / "weather"
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text("day,degrees\n2024-01-01,3\n")
    (folder / "b.csv").write_text("day,degrees\n2024-01-02,4\n")
    return _connection(organization, "Weather", "csv", {"path": "weather/*.csv"}, "source")


def _connection(
    organization: Organization, name: str, connector: str, values: dict[str, Any], use_as: str
) -> Connection:
    defaults = {
        "delimiter": "auto",
        "header": "yes",
        "quote": '"',
        "encoding": "utf-8",
        "decimal": ".",
    }
    return connections.create_connection(
        organization=organization,
        actor=Actor.operator(),
        name=name,
        connector=connector,
        values={**defaults, **values} if connector == "csv" else values,
        use_as=use_as,
    )


def definition(**changes: Any) -> dict[str, Any]:
    """The JSON of a pipeline that merges the paid orders."""
    return {
        "name": "Shop orders",
        "description": "Orders of the shop.",
        "mode": "single_table",
        "dataset": "raw_shop",
        "source_schema": "main",
        "resources": [
            {
                "name": "orders",
                "write_disposition": "merge",
                "primary_key": ["id"],
                "cursor_column": "updated_at",
                "filters": [{"column": "status", "op": "eq", "value": "paid"}],
            }
        ],
        **changes,
    }


def make_database(organization: Organization, person: Person, **changes: Any) -> Pipeline:
    """A pipeline of the whole shop: orders appended by a cursor, the rest replaced."""
    orders = {"name": "orders", "write_disposition": "append", "cursor_column": "updated_at"}
    whole = {"mode": "full_database", "name": "Shop", "resources": [orders], **changes}
    return make_pipeline(organization, person, **whole)


def make_pipeline(organization: Organization, person: Person, **changes: Any) -> Pipeline:
    """That pipeline, with a shop and a warehouse of its own."""
    return services.create_pipeline(
        organization=organization,
        actor=person.actor,
        source=make_shop(organization),
        destination=make_warehouse(organization),
        definition=PipelineDefinition.parse(definition(**changes)),
    )
