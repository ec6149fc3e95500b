"""What the tests of the pages and the API are about: an organization's DuckDB file and SQL on it."""

from typing import Any

import duckdb

from connections import runner
from connections import services as connections
from connections.models import Connection, DatasetTable
from tenants.actors import Actor
from tenants.models import Organization
from transforms import services
from transforms.models import Transformation
from transforms.services import TransformationDefinition

ORDERS = "select id, status from {{ source('raw_shop', 'orders') }}\n"


def make_warehouse(organization: Organization, name: str = "Analytics") -> Connection:
    return connections.create_connection(
        organization=organization,
        actor=Actor.operator(),
        name=name,
        connector="duckdb",
        # Not like the default schema: DuckDB could not tell the two apart.
        values={"path": "warehouse.duckdb"},
        use_as="destination",
    )


def load_orders(warehouse: Connection) -> DatasetTable:
    """``raw_shop.orders`` in the file, and the row that a load leaves behind."""
    path = runner.files_root(warehouse.organization) / warehouse.config["path"]
    with duckdb.connect(str(path)) as database:
        database.execute("create schema if not exists raw_shop")
        database.execute("create or replace table raw_shop.orders (id integer, status varchar)")
        database.execute("insert into raw_shop.orders values (1, 'paid'), (2, null)")
    return known_table(warehouse)


def known_table(warehouse: Connection, name: str = "orders") -> DatasetTable:
    row = DatasetTable(
        organization=warehouse.organization,
        connection=warehouse,
        schema="raw_shop",
        name=name,
        columns=[{"name": "id", "type": "integer"}, {"name": "Status", "type": "varchar"}],
        loaded_by="shop",
        row_count=2,
    )
    row.save()
    return row


def make(warehouse: Connection, name: str, sql: str = ORDERS, **more: Any) -> Transformation:
    return services.create_transformation(
        organization=warehouse.organization,
        actor=Actor.operator(),
        connection=warehouse,
        definition=TransformationDefinition(name=name, sql=sql, **more),
    )
