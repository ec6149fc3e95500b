"""The door to dbt: rows become a project, and what the child reports becomes rows."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.utils import timezone

from common.errors import DatanikaError
from connections import runner as connections
from connections.models import Connection
from transforms import selectors
from transforms.engine.rows import (
    ColumnRow,
    ProjectRows,
    SourceRow,
    SourceTable,
    TestRow,
    TransformationRow,
)
from transforms.errors import SqlProblem
from transforms.models import (
    BuildStatus,
    Transformation,
    TransformationColumn,
    TransformationTest,
)

ENTRY = "transforms.engine.main:build"
COMPILE = "transforms.engine.main:compile"
PREVIEW = "transforms.engine.main:preview"
#: A person waits for these.
PREVIEW_SECONDS = 45

_STATUS = {
    "succeeded": BuildStatus.SUCCEEDED,
    "warned": BuildStatus.WARNED,
    "failed": BuildStatus.FAILED,
    "skipped": BuildStatus.SKIPPED,
}

_BUILT = frozenset({BuildStatus.SUCCEEDED, BuildStatus.WARNED, BuildStatus.TESTS_FAILED})


def project_of(
    connection: Connection, kept: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> ProjectRows:
    """All transformations of the organization on this warehouse, and the tables its pipelines load.

    ``kept`` has some of them by name as they were at an earlier time (``transforms.services.snapshot``).
    """
    organization = connection.organization
    rows = selectors.in_warehouse(connection)
    columns = selectors.columns_of(organization, rows)
    tests = selectors.tests_of(organization, rows)
    return ProjectRows(
        name="datanika",
        transformations=tuple(
            _of_data(kept[row.name])
            if row.name in kept
            else _transformation(row, columns.get(row.pk, []), tests.get(row.pk, []))
            for row in rows
        ),
        sources=_sources(connection),
    )


def build_spec(
    connection: Connection,
    names: Iterable[str],
    *,
    full_refresh: bool = False,
    kept: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """One dbt call for these transformations of one warehouse, secrets included; ``kept`` as for ``project_of``."""
    return {
        **_base(connection, kept),
        "select": sorted(names),
        "full_refresh": full_refresh,
    }


def compile_sql(connection: Connection, *, name: str, sql: str) -> dict[str, Any]:
    """Unsaved SQL as dbt compiles it: ``{"compiled_sql": …, "ms": …}``; raises ``SqlProblem``."""
    return _ask(connection, COMPILE, {"name": name, "sql": sql})


def preview(connection: Connection, *, name: str, sql: str, limit: int = 100) -> dict[str, Any]:
    """The first rows of unsaved SQL, read-only: ``columns``, ``rows`` (text, None is NULL),
    ``truncated``, ``compiled_sql``, ``ms``. Raises ``SqlProblem``.
    """
    return _ask(connection, PREVIEW, {"name": name, "sql": sql, "limit": limit})


def warm_up() -> None:
    """Import dbt ahead of the first build, where there is anything to build."""
    if Transformation.all_organizations.filter(deleted_at__isnull=True).exists():
        connections.warm_dbt()


def cache_dir(connection: Connection) -> Path:
    """dbt's parse cache of one warehouse; trusted, disposable."""
    root = Path(settings.DATA_DIR) / "cache" / str(connection.organization_id)
    path = root / f"dbt-{connection.pk}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def record_result(connection: Connection, result: dict[str, Any]) -> None:
    """Keep how one model or test of a build went."""
    if result["kind"] == "model":
        _record_model(connection, result)
    elif result["kind"] == "test":
        _record_test(connection, result)


def _base(
    connection: Connection, kept: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> dict[str, Any]:
    connections.warm_dbt()
    return {
        **connections.policy(connection.organization),
        "project": project_of(connection, kept).to_spec(),
        "warehouse": connection.as_endpoint(),
        "schema": connection.organization.default_schema,
        "cache_dir": str(cache_dir(connection)),
        "limits": {"memory_mb": settings.STEP_MEMORY_MB // 4, "threads": 2},
    }


def _ask(connection: Connection, entry: str, spec: dict[str, Any]) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []
    try:
        events = connections.call(
            connection.organization,
            entry,
            {**_base(connection), "select": [], **spec},
            seconds=PREVIEW_SECONDS,
            writable=(cache_dir(connection),),
            on_event=seen.append,
        )
    except DatanikaError:
        # The position is in the event only; an editor marks the line.
        failed = next((event for event in seen if event["event"] == "error"), {})
        if "line" in failed:
            raise SqlProblem(failed) from None
        raise
    value: dict[str, Any] = next(e["value"] for e in events if e["event"] == "data")
    return value


def _transformation(
    row: Transformation, columns: list[TransformationColumn], tests: list[TransformationTest]
) -> TransformationRow:
    return TransformationRow(
        name=row.name,
        sql=row.sql,
        folder=row.folder,
        materialization=row.materialization,
        schema=row.schema,
        description=row.description,
        tags=tuple(row.tags),
        config=row.config,
        # The warehouse's types are facts, not a contract: only descriptions go into the project.
        columns=tuple(ColumnRow(c.name, c.description) for c in columns if c.description),
        tests=tuple(
            TestRow(
                column=t.column,
                kind=t.kind,
                arguments=t.arguments,
                severity=t.severity,
                where=t.where,
            )
            for t in tests
        ),
    )


def _of_data(data: Mapping[str, Any]) -> TransformationRow:
    return TransformationRow(
        **{name: data[name] for name in ("name", "sql", "folder", "materialization", "schema")},
        description=data["description"],
        tags=tuple(data["tags"]),
        config=data["config"],
        columns=tuple(ColumnRow(name, text) for name, text in data["columns"].items()),
        tests=tuple(TestRow(**test) for test in data["tests"]),
    )


def _sources(connection: Connection) -> tuple[SourceRow, ...]:
    by_schema: dict[str, list[SourceTable]] = {}
    for table in selectors.dataset_tables(connection):
        columns = tuple(ColumnRow(column["name"]) for column in table.columns)
        by_schema.setdefault(table.schema, []).append(SourceTable(table.name, "", columns))
    return tuple(
        SourceRow(name=schema, schema=schema, tables=tuple(tables))
        for schema, tables in sorted(by_schema.items())
    )


def _record_model(connection: Connection, result: dict[str, Any]) -> None:
    rows = Transformation.objects.for_organization(connection.organization)
    row = rows.filter(connection=connection, name=result["name"]).first()
    if row is None:
        return
    row.build_status = _STATUS[result["status"]]
    row.build_message = result.get("message") or ""
    if row.build_status != BuildStatus.SKIPPED:
        row.built_at = timezone.now()
        row.build_seconds = seconds_between(result.get("started_at"), result.get("finished_at"))
    if row.build_status == BuildStatus.SUCCEEDED:
        row.row_count = result.get("rows")
    row.compiled_sql = result.get("compiled_sql") or row.compiled_sql
    row.save(
        update_fields=[
            "build_status",
            "build_message",
            "built_at",
            "build_seconds",
            "row_count",
            "compiled_sql",
        ]
    )
    _record_columns(row, result.get("columns") or [])


def _record_columns(row: Transformation, columns: list[dict[str, Any]]) -> None:
    """Take the warehouse's columns and types; never what a person wrote about them."""
    if not columns:
        return
    known = {c.name: c for c in selectors.columns_of(row.organization, [row]).get(row.pk, [])}
    for position, column in enumerate(columns):
        kept = known.pop(column["name"], None) or TransformationColumn(
            organization=row.organization, transformation=row, name=column["name"]
        )
        kept.position, kept.data_type = position, column.get("type", "")
        kept.save()
    for gone in known.values():
        if gone.description:
            # A description outlives its column: the column may come back.
            gone.data_type = ""
            gone.save(update_fields=["data_type"])
        else:
            gone.delete()


def _record_test(connection: Connection, result: dict[str, Any]) -> None:
    rows = TransformationTest.objects.for_organization(connection.organization)
    if result["status"] == "failed":
        _note_failed_test(connection, result)
    rows.filter(
        transformation__connection=connection,
        transformation__name=result.get("model", ""),
        transformation__deleted_at__isnull=True,
        column=result.get("column") or "",
        kind=result.get("test_kind") or "",
    ).update(
        last_status=result["status"],
        last_failures=result.get("failures"),
        last_samples=result.get("samples") or {},
        last_run_at=timezone.now(),
    )


def _note_failed_test(connection: Connection, result: dict[str, Any]) -> None:
    """What was built is not good: whoever looks at it sees so without looking at its tests."""
    rows = Transformation.objects.for_organization(connection.organization)
    row = rows.filter(connection=connection, name=result.get("model", "")).first()
    if row is None or row.build_status not in _BUILT:
        return
    column = result.get("column")
    words = f"{result.get('test_kind') or result['name']}{f' ({column})' if column else ''}"
    before = row.build_message if row.build_status == BuildStatus.TESTS_FAILED else ""
    row.build_message = f"{before}, {words}" if before else f"Failed tests: {words}"
    row.build_status = BuildStatus.TESTS_FAILED
    row.save(update_fields=["build_status", "build_message"])


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Seconds between two ISO 8601 times; None where one is missing."""
    if not (start and end):
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
