"""The rules of transformations, whichever face asks."""

from dataclasses import replace

import pytest

from audit.models import AuditEvent
from common.errors import DatanikaError, PermissionDenied
from conftest_site import Person
from connections import services as connections
from connections.models import Connection
from tenants.models import Organization
from transforms import selectors, services
from transforms.errors import EditConflict, InvalidTransformation, TransformationInUse
from transforms.models import Transformation, TransformationTest
from transforms.services import TransformationDefinition
from transforms.tests.warehouse import known_table, make, make_warehouse

NOT_NULL = {"column": "id", "kind": "not_null"}
UNIQUE = {"column": "id", "kind": "unique"}


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    return make_warehouse(organization)


def test_a_circle_is_refused_with_its_path(warehouse: Connection, editor: Person) -> None:
    first = make(warehouse, "first", "select 1 as id")
    make(warehouse, "second", "select * from {{ ref('first') }}")
    make(warehouse, "third", "select * from {{ ref('second') }}")
    with pytest.raises(InvalidTransformation) as refused:
        services.update_transformation(
            transformation=first,
            actor=editor.actor,
            definition=replace(
                services.definition_of(first), sql="select * from {{ ref('third') }}"
            ),
        )
    assert refused.value.field == "sql"
    for name in ("first", "second", "third"):
        assert name in refused.value.message
    first.refresh_from_db()
    assert (first.sql, first.version) == ("select 1 as id", 1), "the save is undone"


def test_who_is_read_keeps_name_and_life(warehouse: Connection, editor: Person) -> None:
    read = make(warehouse, "stg_orders")
    reader = make(warehouse, "fct_orders", "select * from {{ ref('stg_orders') }}")
    renamed = replace(services.definition_of(read), name="orders")
    with pytest.raises(TransformationInUse, match="fct_orders"):
        services.update_transformation(transformation=read, actor=editor.actor, definition=renamed)
    with pytest.raises(TransformationInUse, match="fct_orders"):
        services.delete_transformation(transformation=read, actor=editor.actor)
    services.delete_transformation(transformation=reader, actor=editor.actor)
    services.update_transformation(transformation=read, actor=editor.actor, definition=renamed)
    # The name is free again, and a restored reader finds it gone like any other missing ref.
    assert make(warehouse, "fct_orders").pk != reader.pk
    with pytest.raises(DatanikaError, match="named 'fct_orders' already"):
        services.restore_transformation(transformation=reader, actor=editor.actor)


def test_a_save_of_an_older_version_is_told(warehouse: Connection, editor: Person) -> None:
    row = make(warehouse, "orders")
    wanted = replace(services.definition_of(row), description="Mine")
    services.update_transformation(
        transformation=row, actor=editor.actor, definition=wanted, version=1
    )
    with pytest.raises(EditConflict):
        services.update_transformation(
            transformation=row, actor=editor.actor, definition=wanted, version=1
        )


def test_only_a_warehouse_that_dbt_knows_is_taken(
    organization: Organization, editor: Person
) -> None:
    files = connections.create_connection(
        organization=organization,
        actor=editor.actor,
        name="Shop",
        connector="sqlite",
        values={"path": "shop.sqlite"},
    )
    with pytest.raises(InvalidTransformation, match="dbt cannot build in “Shop”") as refused:
        make(files, "orders")
    assert refused.value.field == "connection"
    assert selectors.warehouses(organization) == []


def test_tests_are_replaced_and_those_that_stay_keep_their_history(
    warehouse: Connection, editor: Person
) -> None:
    row = make(warehouse, "orders", tests=(NOT_NULL, UNIQUE))
    kept = TransformationTest.objects.for_organization(row.organization).get(kind="unique")
    TransformationTest.objects.for_organization(row.organization).update(
        last_status="failed", last_failures=3
    )
    plain = services.definition_of(row)
    services.update_transformation(
        transformation=row,
        actor=editor.actor,
        definition=replace(plain, tests=({**UNIQUE, "severity": "warn"},)),
    )
    [left] = selectors.tests_of(row.organization, [row])[row.pk]
    assert (left.pk, left.severity, left.last_failures) == (kept.pk, "warn", 3)
    services.update_transformation(transformation=row, actor=editor.actor, definition=plain)
    assert len(selectors.tests_of(row.organization, [row])[row.pk]) == 1, "not named, not touched"
    with pytest.raises(InvalidTransformation, match="has the test unique twice"):
        services.update_transformation(
            transformation=row,
            actor=editor.actor,
            definition=replace(plain, tests=(UNIQUE, {**UNIQUE, "where": "id > 3"})),
        )


def test_descriptions_of_columns_come_and_go(warehouse: Connection, editor: Person) -> None:
    row = make(warehouse, "orders", column_descriptions={"id": "The number", "status": ""})
    columns = selectors.columns_of(row.organization, [row])[row.pk]
    assert [(c.name, c.description) for c in columns] == [("id", "The number")]
    services.update_transformation(
        transformation=row,
        actor=editor.actor,
        definition=replace(services.definition_of(row), column_descriptions={"id": ""}),
    )
    event = AuditEvent.objects.for_organization(row.organization).latest("pk")
    assert event.changes["columns"] == [{"id": "The number"}, {}]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": "Orders 2"}, "name", "lower-case"),
        ({"sql": "  \n"}, "sql", "empty"),
        ({"folder": "marts/../x"}, "folder", "lower-case"),
        ({"materialization": "cube"}, "materialization", "cube"),
        ({"schema": "no schema"}, "schema", "lower-case"),
        ({"tests": ({"column": "id", "kind": "odd"},)}, "tests", "not_null"),
        ({"tests": ({"column": "id", "kind": "accepted_values"},)}, "arguments", "values"),
    ],
)
def test_what_dbt_could_not_take_is_refused(
    change: dict[str, object], field: str, words: str
) -> None:
    definition = TransformationDefinition(name="orders", sql="select 1")
    with pytest.raises(DatanikaError) as refused:
        replace(definition, **change).checked()  # type: ignore[arg-type]
    assert refused.value.field == field
    assert words in str(refused.value)


def test_viewers_change_nothing(warehouse: Connection, viewer: Person) -> None:
    row = make(warehouse, "orders")
    with pytest.raises(PermissionDenied):
        services.update_transformation(
            transformation=row, actor=viewer.actor, definition=services.definition_of(row)
        )
    with pytest.raises(PermissionDenied):
        services.delete_transformation(transformation=row, actor=viewer.actor)
    assert Transformation.objects.for_organization(row.organization).count() == 1


def test_a_staging_draft_names_every_column(warehouse: Connection) -> None:
    draft = selectors.staging_draft(known_table(warehouse))
    assert (draft.name, draft.folder) == ("stg_raw_shop__orders", "staging")
    assert draft.sql == (
        "select\n    id,\n    \"Status\"\nfrom {{ source('raw_shop', 'orders') }}\n"
    )
    assert selectors.completion_of(warehouse) == {"raw_shop": {"orders": ["id", "Status"]}}
