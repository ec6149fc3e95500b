"""A shop with two pipelines and a transformation, somebody to tell, and a receiver that listens."""

from collections.abc import Iterator

import pytest

from alerts.tests import factories
from connections.models import Connection
from orchestration.tests import factories as make
from tenants.models import Organization


@pytest.fixture
def stand(organization: Organization) -> Connection:
    """The warehouse of everything below."""
    warehouse = make.make_connection(organization)
    make.make_pipeline(organization, "Orders", warehouse)
    make.make_pipeline(organization, "Users", warehouse)
    sql = "select * from {{ source('raw_orders', 'orders') }}"
    make.make_transformation(organization, "stg_orders", warehouse, sql, tags=("nightly",))
    return warehouse


@pytest.fixture
def receiver() -> Iterator[factories.Receiver]:
    with factories.receiver() as found:
        yield found
