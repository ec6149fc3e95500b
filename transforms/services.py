"""Every change to transformations."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.dispatch import Signal

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import UserError
from common.graphs import find_cycle
from connections.models import Connection
from connections.services import check_not_deleted
from tenants.actors import Actor
from tenants.models import Organization
from transforms import selectors
from transforms.engine.rows import TestRow, TransformationRow, check_name
from transforms.errors import EditConflict, InvalidTransformation, TransformationInUse
from transforms.models import (
    Materialization,
    Severity,
    TestKind,
    Transformation,
    TransformationColumn,
    TransformationTest,
)

COLUMN_LENGTH = 255

#: Sent in the transaction that changes what transformations read: an app above may refuse what it comes to.
reads_changed = Signal()
#: Sent in the transaction that puts one into the trash, with ``transformation`` and ``actor``.
transformation_deleted = Signal()


@dataclass(frozen=True)
class TransformationDefinition:
    """A transformation as people describe it. ``tests`` None leaves the stored tests as they are."""

    name: str
    sql: str
    folder: str = "models"
    materialization: str = Materialization.VIEW
    schema: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    column_descriptions: dict[str, str] | None = None
    tests: tuple[dict[str, Any], ...] | None = None

    def checked(self) -> "TransformationDefinition":
        """Itself, or a ``UserError`` that names the field."""
        if not self.sql.strip():
            raise InvalidTransformation("The SQL is empty.", field="sql", remedy="Write a select.")
        if self.schema:
            check_name(self.schema, "A schema", name_field="schema")
        _refuse_double_tests(self.tests or ())
        # The engine's own rows refuse what dbt could not take.
        TransformationRow(
            name=self.name,
            sql=self.sql,
            folder=self.folder,
            materialization=self.materialization,
            schema=self.schema,
            tags=self.tags,
            config=self.config,
            tests=tuple(_test_row(test) for test in self.tests or ()),
        )
        return self


@transaction.atomic
def create_transformation(
    *,
    organization: Organization,
    actor: Actor,
    connection: Connection,
    definition: TransformationDefinition,
) -> Transformation:
    """A new transformation. Raises ``InvalidTransformation`` naming the field."""
    actor.require(Permission.EDIT)
    definition = definition.checked()
    if not (connection.is_destination and connection.type.capabilities.dbt):
        raise InvalidTransformation(
            f"dbt cannot build in “{connection}”.",
            field="connection",
            remedy="Choose a warehouse connection that is used as a destination.",
        )
    row = Transformation(organization=organization, connection=connection)
    _apply(row, definition)
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.TRANSFORMATION_CREATED,
        target=row,
        changes=audit.difference({}, snapshot(row)),
    )
    return row


@transaction.atomic
def update_transformation(
    *,
    transformation: Transformation,
    actor: Actor,
    definition: TransformationDefinition,
    version: int | None = None,
) -> Transformation:
    """Save. ``version`` is the one the editor opened; an older one raises ``EditConflict``."""
    actor.require(Permission.EDIT)
    definition = definition.checked()
    rows = Transformation.objects.for_organization(transformation.organization)
    current = rows.select_for_update().get(pk=transformation.pk)
    if version is not None and version != current.version:
        raise EditConflict(
            remedy="Compare your text with the saved one, then save again.", field="version"
        )
    readers = selectors.readers_of(current) if definition.name != current.name else []
    if readers:
        raise TransformationInUse(
            f"{', '.join(r.name for r in readers[:5])} read from “{current.name}”.",
            field="name",
            remedy="Keep the name, or change their ref() first.",
        )
    before = snapshot(current)
    current.version += 1
    _apply(current, definition)
    audit.record(
        organization=current.organization,
        actor=actor,
        action=AuditAction.TRANSFORMATION_UPDATED,
        target=current,
        changes=audit.difference(before, snapshot(current)),
    )
    return current


@transaction.atomic
def delete_transformation(*, transformation: Transformation, actor: Actor) -> None:
    """Put it in the trash; what it built in the warehouse stays. Refused while others read from it."""
    actor.require(Permission.EDIT)
    readers = selectors.readers_of(transformation)
    if readers:
        raise TransformationInUse(
            f"{', '.join(r.name for r in readers[:5])} read from “{transformation}”.",
            remedy="Delete or change these first.",
        )
    transformation.put_in_trash()
    audit.record(
        organization=transformation.organization,
        actor=actor,
        action=AuditAction.TRANSFORMATION_DELETED,
        target=transformation,
    )
    transformation_deleted.send(sender=Transformation, transformation=transformation, actor=actor)


@transaction.atomic
def restore_transformation(*, transformation: Transformation, actor: Actor) -> Transformation:
    actor.require(Permission.EDIT)
    check_not_deleted(transformation.connection)
    _refuse_taken_name(transformation, transformation.name)
    transformation.deleted_at = None
    transformation.save(update_fields=["deleted_at"])
    reads_changed.send(sender=Transformation, organization=transformation.organization)
    audit.record(
        organization=transformation.organization,
        actor=actor,
        action=AuditAction.TRANSFORMATION_RESTORED,
        target=transformation,
    )
    return transformation


def snapshot(row: Transformation) -> dict[str, Any]:
    """The transformation as plain data, tests and what is said of its columns included."""
    return snapshots([row])[row.pk]


def snapshots(rows: Iterable[Transformation]) -> dict[int, dict[str, Any]]:
    """By id, of transformations of one organization, in two queries."""
    found = {row.pk: row for row in rows}
    if not found:
        return {}
    organization = next(iter(found.values())).organization
    columns = selectors.columns_of(organization, found.values())
    tests = selectors.tests_of(organization, found.values())
    return {
        pk: {
            "name": row.name,
            "folder": row.folder,
            "connection": row.connection.slug,
            "sql": row.sql,
            "materialization": row.materialization,
            "schema": row.schema,
            "description": row.description,
            "tags": row.tags,
            "config": row.config,
            "columns": {
                one.name: one.description for one in columns.get(pk, []) if one.description
            },
            "tests": [test_as_data(test) for test in tests.get(pk, [])],
        }
        for pk, row in found.items()
    }


def definition_of(row: Transformation) -> TransformationDefinition:
    """The stored transformation as a definition, to be changed with ``dataclasses.replace``."""
    return TransformationDefinition(
        name=row.name,
        sql=row.sql,
        folder=row.folder,
        materialization=row.materialization,
        schema=row.schema,
        description=row.description,
        tags=tuple(row.tags),
        config=row.config,
    )


def test_as_data(test: TransformationTest) -> dict[str, Any]:
    return {
        "column": test.column,
        "kind": test.kind,
        "arguments": test.arguments,
        "severity": test.severity,
        "where": test.where,
    }


test_as_data.__test__ = False  # type: ignore[attr-defined]


def _apply(row: Transformation, definition: TransformationDefinition) -> None:
    _refuse_taken_name(row, definition.name)
    for name in ("name", "folder", "sql", "materialization", "schema", "description", "config"):
        setattr(row, name, getattr(definition, name))
    row.tags = list(definition.tags)
    before = row.reads
    selectors.note_reads(row)
    row.save()
    _refuse_circle(row)
    if row.reads != before:
        reads_changed.send(sender=Transformation, organization=row.organization)
    if definition.tests is not None:
        _replace_tests(row, definition.tests)
    _describe_columns(row, definition.column_descriptions or {})


def _describe_columns(row: Transformation, descriptions: dict[str, str]) -> None:
    rows = TransformationColumn.objects.for_organization(row.organization)
    known = {column.name: column for column in rows.filter(transformation=row)}
    for name, text in descriptions.items():
        if not name.strip() or len(name) > COLUMN_LENGTH:
            raise InvalidTransformation(
                f"A column's name has 1 to {COLUMN_LENGTH} characters.",
                field="columns",
                remedy="Name it as the SQL does.",
            )
        column = known.get(name)
        if column is None and text:
            column = TransformationColumn(
                organization=row.organization,
                transformation=row,
                name=name,
                position=len(known),
            )
        if column is not None and column.description != text:
            column.description = text
            column.save()


def _replace_tests(row: Transformation, tests: tuple[dict[str, Any], ...]) -> None:
    """The tests wanted, keeping the history of those that stay."""
    rows = TransformationTest.objects.for_organization(row.organization).filter(transformation=row)
    known = {(test.column, test.kind): test for test in rows}
    for data in tests:
        wanted = _test_row(data)
        test = known.pop((wanted.column, wanted.kind), None) or TransformationTest(
            organization=row.organization,
            transformation=row,
            column=wanted.column,
            kind=wanted.kind,
        )
        test.arguments, test.severity, test.where = wanted.arguments, wanted.severity, wanted.where
        test.save()
    for gone in known.values():
        gone.delete()


def _test_row(data: dict[str, Any]) -> TestRow:
    try:
        return TestRow(
            column=str(data.get("column", "")),
            kind=TestKind(data.get("kind", "")),
            arguments=data.get("arguments") or {},
            severity=Severity(data.get("severity") or Severity.ERROR),
            where=str(data.get("where") or ""),
        )
    except ValueError as error:
        raise InvalidTransformation(
            f"A test is not valid: {error}.",
            field="tests",
            remedy=f"The kinds are {', '.join(TestKind.values)}.",
        ) from None


def _refuse_double_tests(tests: tuple[dict[str, Any], ...]) -> None:
    seen: set[tuple[str, str]] = set()
    for test in tests:
        key = (str(test.get("column", "")), str(test.get("kind", "")))
        if key in seen:
            raise InvalidTransformation(
                f"The column {key[0]} has the test {key[1]} twice.",
                field="tests",
                remedy="Remove one of them.",
            )
        seen.add(key)


def _refuse_circle(row: Transformation) -> None:
    """A ``ref()`` that leads back here; the caller's transaction undoes the save."""
    reads = {one.name: one.reads.refs for one in selectors.reads_of(row.organization)}
    names = list(reads)
    edges = {(upstream, name) for name, refs in reads.items() for upstream in refs & reads.keys()}
    if cycle := find_cycle(names, edges):
        raise InvalidTransformation(
            f"These transformations read from each other in a circle: {' → '.join(cycle)}.",
            field="sql",
            remedy="Remove one of these ref() calls.",
        )


def _refuse_taken_name(row: Transformation, name: str) -> None:
    rows = Transformation.objects.for_organization(row.organization)
    if rows.filter(name=name).exclude(pk=row.pk).exists():
        raise UserError(
            f"There is a transformation named {name!r} already.",
            field="name",
            remedy="Choose another name.",
        )
