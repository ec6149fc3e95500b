# ruff: noqa: S608 - names of tables and columns are those of the models, numbers are this file's own.
"""Fills an installation with a million runs in about a minute. Executed inside an installation by ``test_pages``.

Rows are made by the database itself (``INSERT … SELECT``), while secondary indexes and the checks of foreign keys
are away; columns that nobody names get their model's default, so a new column needs no change here.
"""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection, models
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule

from alerts.models import AlertChannel, AlertDelivery, AlertRule
from connections.models import Connection
from orchestration.models import Node, Run, RunLogLine, RunStep, Schedule, Standing
from orchestration.models import Status as S
from orchestration.retention import database
from pipelines.models import Mode, Pipeline, PipelineResource
from tenants import services as tenants
from tenants.models import Organization
from transforms.models import BuildStatus, Transformation

DAYS = 180
CONNECTIONS, TRANSFORMATIONS, SCHEDULES = 200, 1_000, 2_000
#: Every tenth run is of one pipeline: nothing may look through all of its runs.
HOT_SHARE = 10
DAG_SHARE = 50
ACTIVE = 40
#: Causes of errors.
CAUSES = 300


def set_up(slug: str) -> None:
    tenants.set_up(
        email="olga@example.com",
        name="Olga",
        password="correct horse battery",  # noqa: S106
        organization_name=slug.title(),
    )


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """Within it rows cost only their writing; indexes are built once, at its end."""
    tables = [model._meta.db_table for model in (Run, RunStep, RunLogLine, AlertDelivery)]
    with connection.cursor() as cursor:
        for setting in _POSTGRES if _is_postgres() else _SQLITE:
            cursor.execute(setting)
        indexes = _indexes(tables)
        for name in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        for definition in indexes.values():
            cursor.execute(definition)
        # What autovacuum does within minutes, and on SQLite the nightly pruning.
        if _is_postgres():
            cursor.execute("VACUUM (ANALYZE)")
        else:
            database.give_back(1.0)


_POSTGRES = ("SET session_replication_role = replica", "SET maintenance_work_mem = '256MB'")
_SQLITE = (
    "PRAGMA foreign_keys = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA journal_mode = MEMORY",
    "PRAGMA cache_size = -400000",
    "PRAGMA temp_store = MEMORY",
)


def _indexes(tables: list[str]) -> dict[str, str]:
    """The definition of each index that no constraint needs, by its name."""
    marks = ", ".join(["%s"] * len(tables))
    if _is_postgres():
        query = (
            f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ({marks})"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = quote_ident(indexname)::regclass)"
        )
    else:
        query = (
            "SELECT name, sql FROM sqlite_master"
            f" WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})"
        )
    with connection.cursor() as cursor:
        cursor.execute(query, tables)
        return dict(cursor.fetchall())


def _is_postgres() -> bool:
    return connection.vendor == "postgresql"


def _series(first: int, last: int) -> str:
    if _is_postgres():
        return f"generate_series({first}, {last}) AS s(i)"
    return (
        f"(WITH RECURSIVE s(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM s WHERE i < {last})"
        " SELECT i FROM s) AS s"
    )


def _ago(seconds: str) -> str:
    """A moment so many seconds before now, as the database stores it."""
    if _is_postgres():
        return f"now() - ({seconds}) * interval '1 second'"
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || ({seconds}) || ' seconds')"


def _insert(model: type[models.Model], given: dict[str, str], source: str) -> None:
    """``given`` holds an SQL expression by column; the others get the model's default."""
    columns: list[str] = []
    values: list[str] = []
    parameters: list[Any] = []
    for field in model._meta.concrete_fields:
        name = str(field.column)
        if name in given:
            columns.append(name)
            values.append(_literal(given[name]))
        elif not field.null and not field.primary_key:
            columns.append(name)
            values.append("%s")
            parameters.append(field.get_db_prep_save(field.get_default(), connection))
    names = ", ".join(f'"{name}"' for name in columns)
    table = model._meta.db_table
    select = ", ".join(values)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) SELECT {select} FROM {_literal(source)}', parameters
        )


def _literal(sql: str) -> str:
    """A percent sign beside parameters."""
    return sql.replace("%", "%%")


def make_things(slug: str, pipelines: int) -> None:
    """An organization with everything but runs."""
    organization = Organization.objects.filter(slug=slug).first()
    if organization is None:
        organization = Organization.objects.create(name=slug.title(), slug=slug)
    _connections(organization)
    known = list(Connection.objects.for_organization(organization).order_by("pk"))
    _pipelines(organization, known, pipelines)
    _transformations(organization, known[0])


def _connections(organization: Organization) -> None:
    Connection.all_organizations.bulk_create(
        Connection(
            organization=organization,
            name=f"Connection {n:04}",
            slug=f"connection-{n}",
            connector="duckdb",
            use_as="both",
            config={"path": f"c{n}.duckdb"},
        )
        for n in range(CONNECTIONS)
    )


def _pipelines(organization: Organization, known: list[Connection], count: int) -> None:
    Pipeline.all_organizations.bulk_create(
        [
            Pipeline(
                organization=organization,
                name=f"Pipeline {n:05}",
                slug=f"pipeline-{n}",
                source=known[n % CONNECTIONS],
                destination=known[(n + 1) % CONNECTIONS],
                dataset=f"raw_{n}",
                mode=Mode.SINGLE_TABLE,
                source_schema="main",
            )
            for n in range(count)
        ],
        batch_size=1_000,
    )
    rows = list(Pipeline.objects.for_organization(organization).order_by("pk"))
    PipelineResource.all_organizations.bulk_create(
        [
            PipelineResource(
                organization=organization, pipeline=row, name="orders", target="orders"
            )
            for row in rows
        ],
        batch_size=1_000,
    )
    Node.all_organizations.bulk_create(
        [Node(organization=organization, pipeline=row) for row in rows], batch_size=1_000
    )
    _schedules(organization)
    _standings(organization, rows)


def _schedules(organization: Organization) -> None:
    crontab = CrontabSchedule.objects.get_or_create(minute="0", hour="6")[0]
    nodes = Node.objects.for_organization(organization).order_by("pk")[:SCHEDULES]
    now = timezone.now()
    Schedule.all_organizations.bulk_create(
        [
            Schedule(
                organization=organization,
                name=f"Schedule {n:05}",
                slug=f"schedule-{n}",
                node=node,
                crontab=crontab,
                next_run_at=now + timedelta(hours=1, seconds=n),
                last_run_at=now - timedelta(hours=23),
            )
            for n, node in enumerate(nodes)
        ],
        batch_size=1_000,
    )


def _standings(organization: Organization, rows: list[Pipeline]) -> None:
    now = timezone.now()
    tones = {0: ("bad", S.FAILED), 1: ("warn", S.SUCCEEDED)}
    Standing.all_organizations.bulk_create(
        [
            Standing(
                organization=organization,
                pipeline=row,
                tone=tones.get(n % 40, ("good", S.SUCCEEDED))[0],
                status=tones.get(n % 40, ("good", S.SUCCEEDED))[1],
                run_number=n + 1,
                ended_at=now - timedelta(minutes=n),
                succeeded_at=now - timedelta(minutes=n),
                failures=3 if n % 40 == 0 else 0,
                error="The server refused the password." if n % 40 == 0 else "",
            )
            for n, row in enumerate(rows)
        ],
        batch_size=1_000,
    )


def _transformations(organization: Organization, warehouse: Connection) -> None:
    Transformation.all_organizations.bulk_create(
        [
            Transformation(
                organization=organization,
                name=f"model_{n}",
                folder=f"layer_{n % 10}",
                connection=warehouse,
                sql="select 1 as id",
                build_status=BuildStatus.FAILED if n % 100 == 0 else BuildStatus.SUCCEEDED,
                built_at=timezone.now(),
            )
            for n in range(TRANSFORMATIONS)
        ],
        batch_size=500,
    )


def make_runs(slug: str, count: int) -> None:
    """So many runs, spread over the last ``DAYS``, the newest still going on, each with a step."""
    organization = Organization.objects.get(slug=slug)
    pipelines = Pipeline.objects.for_organization(organization).order_by("pk")
    first, many = pipelines.values_list("pk", flat=True)[0], pipelines.count()
    warehouse = Connection.objects.for_organization(organization).order_by("pk")[0].pk
    name = f"(CASE WHEN i % {HOT_SHARE} = 0 THEN 0 ELSE (i * 7) % {many} END)"
    dag = f"i % {DAG_SHARE} = 1"
    age = f"({count} - i) * {DAYS * 86400 / count}"
    active = f"i > {count - ACTIVE}"
    status = (
        f"CASE WHEN {active} AND i % 2 = 0 THEN 'running' WHEN {active} THEN 'queued'"
        " WHEN i % 21 = 0 THEN 'failed' WHEN i % 101 = 0 THEN 'cancelled' ELSE 'succeeded' END"
    )
    error = "CASE WHEN i % 21 = 0 THEN 'The server refused the password.' ELSE '' END"
    ended = f"CASE WHEN {active} THEN NULL ELSE {_ago(age + ' - 30')} END"
    common = {
        "organization_id": str(organization.pk),
        "status": status,
        "has_warnings": f"(i % 53 = 0 AND NOT {active})",
        "started_at": _ago(age),
        "finished_at": ended,
        "error": error,
    }
    run = common | {
        "number": "i",
        "target": f"CASE WHEN {dag} THEN 'dag' ELSE 'pipeline:pipeline-' || {name} END",
        "title": f"CASE WHEN {dag} THEN 'Whole graph' ELSE 'Pipeline ' || {name} END",
        "requested_by": "CASE WHEN i % 1000 = 0 THEN 'Mara Lindqvist' ELSE 'Schedule Nightly' END",
        "trigger": "CASE WHEN i % 1000 = 0 THEN 'manual' ELSE 'schedule' END",
        "requested_at": _ago(age),
        "rows_loaded": "i % 10000",
    }
    _insert(Run, run, _series(1, count))
    step = common | {
        "run_id": "r.id",
        "position": "0",
        "name": "r.title",
        "kind": f"CASE WHEN {dag} THEN 'transform' ELSE 'pipeline' END",
        "connection_id": f"CASE WHEN {dag} THEN {warehouse} ELSE NULL END",
        "pipeline_id": f"CASE WHEN {dag} THEN NULL ELSE {first} + {name} END",
        "status": "r.status",
        "started_at": "r.started_at",
        "finished_at": "r.finished_at",
        "error": "r.error",
        "has_warnings": "r.has_warnings",
        "fingerprint": _cause("r.status = 'failed'"),
        "error_code": "CASE WHEN r.status = 'failed' THEN 'authentication_failed' ELSE '' END",
        "waiting_for": "CASE WHEN r.status = 'queued' THEN 'a free worker, 3 are before it' ELSE '' END",
    }
    source = (
        f"(SELECT *, number AS i FROM {Run._meta.db_table}"
        f" WHERE organization_id = {organization.pk} ORDER BY id) AS r"
    )
    _insert(RunStep, step, source)
    Organization.objects.filter(pk=organization.pk).update(last_run_number=count)


def _cause(condition: str) -> str:
    """One of ``CAUSES`` fingerprints for rows with an error; every second error has the first of them."""
    number = f"CASE WHEN i % 2 = 0 THEN 0 ELSE (i / 21) % {CAUSES} END"
    text = f"lpad(({number})::text, 16, '0')"
    if not _is_postgres():
        text = f"printf('%016d', {number})"
    return f"CASE WHEN {condition} THEN {text} ELSE '' END"


def make_deliveries(slug: str, count: int) -> None:
    """A rule, a channel, and so many messages that were sent."""
    organization = Organization.objects.get(slug=slug)
    rule = AlertRule.all_organizations.create(
        organization=organization, name="Everything", slug="everything", failures_in_a_row=1
    )
    channel = AlertChannel.all_organizations.create(
        organization=organization, name="Ops", slug="ops", kind="slack", host="chat.example.com"
    )
    age = f"({count} - i) * {DAYS * 86400 / count}"
    reference = "gen_random_uuid()" if _is_postgres() else "lower(hex(randomblob(16)))"
    given = {
        "organization_id": str(organization.pk),
        "reference": reference,
        "rule_id": str(rule.pk),
        "channel_id": str(channel.pk),
        "channel_name": "'Ops'",
        "channel_kind": "'slack'",
        "event": "'opened'",
        "condition": "'failure'",
        "key": "'incident ' || i",
        "status": "CASE WHEN i % 5000 = 3 THEN 'failed' ELSE 'delivered' END",
        "last_error": "CASE WHEN i % 5000 = 3 THEN 'The server answered 500.' ELSE '' END",
        "next_attempt_at": "NULL",
        "attempts": "1",
        "delivered_at": _ago(age),
        "created_at": _ago(age),
    }
    _insert(AlertDelivery, given, _series(1, count))


def make_log(slug: str, lines: int) -> int:
    """A run with so many lines; its number."""
    organization = Organization.objects.get(slug=slug)
    run = Run.objects.for_organization(organization).get(number=organization.last_run_number - 100)
    line = {
        "organization_id": str(organization.pk),
        "run_id": str(run.pk),
        "number": "i",
        "at": _ago(f"({lines} - i) / 100"),
        "level": "CASE WHEN i % 50000 = 7 THEN 'error' WHEN i % 997 = 0 THEN 'warn' ELSE 'info' END",
        "scope": "'extract:orders'",
        "text": "'row group ' || i || ' of the table orders was read'",
    }
    _insert(RunLogLine, line, _series(1, lines))
    Run.all_organizations.filter(pk=run.pk).update(last_line=lines)
    return int(run.number)
