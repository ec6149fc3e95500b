"""SQL and names of an attacker, through the doors of the product: previews, queries, samples, loads."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import sql

from common.errors import DatanikaError, UserError
from conftest_site import Person
from connections import runner as connections
from connections import services as connection_services
from connections.connectors.base import Target
from connections.connectors.registry import get_connector
from connections.models import Connection
from connections.tests.helpers import make, upload, values_of
from connections.tests.local_endpoints import endpoint
from datanika_site.tests.hostile.conftest import CANARY
from pipelines.tests.engine_support import Bench, file_endpoint, postgres_endpoint
from tenants.models import Organization
from transforms import runner as transforms
from transforms.tests.warehouse import make_warehouse

pytestmark = pytest.mark.django_db

METADATA = "http://169.254.169.254/latest/meta-data/"
#: What a query would like to read or write; ``{victim}`` is the other organization's directory.
QUERIES = {
    "csv": "select * from read_csv('{victim}/uploads/people.csv')",
    "text": "select * from read_text('{victim}/uploads/*')",
    "bare": "select * from '{victim}/uploads/people.csv'",
    "glob": "select * from glob('{victim}/*')",
    "blob": "select * from read_blob('/proc/self/environ')",
    "shadow": "select * from read_text('/etc/shadow')",
    "metadata": f"select * from read_csv('{METADATA}')",
    "loopback": "select * from read_text('http://127.0.0.1:9/')",
    "sniff": "select * from sniff_csv('{victim}/uploads/people.csv')",
    "scan": "select * from sqlite_scan('{victim}/shop.sqlite', 'orders')",
    "variable": "select getenv('SECRET_KEY') as x",
    "stacked": "select 1 as x; attach '{victim}/warehouse.duckdb' as other",
    "closing": "select 1) as t; copy (select 1) to '{victim}/uploads/new.csv'; select (1",
    "copy": "copy (select 1) to '{victim}/uploads/new.csv'",
    "attach": "attach '{victim}/warehouse.duckdb' as other",
    "install": "install httpfs",
    "setting": "set enable_external_access = true",
}
#: Names that try to leave their place in a statement, or to be something else.
NAMES = (
    'a"; drop table "keep"; --',
    "a'; drop table keep; --",
    'a`b"c\\d',
    "{{ 7 * 7 }} {% raw %}",
    "%s %(x)s $1 ? :x",
    "../../../etc/passwd",
    "Robert' OR '1'='1",
    "ظلام\u202ertl",
    "🔥🧨",
    "two\nlines",
    "/* comment */ -- rest",
)


TABLES = "select table_name from information_schema.tables where table_schema = ?"


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    connection = make_warehouse(organization)
    path = connections.files_root(organization) / "warehouse.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("create table mine as select 1 as x")
    return connection


def untouched(victim: Organization) -> bool:
    root = connections.files_root(victim)
    names = sorted(path.name for path in root.rglob("*") if path.is_file())
    return names == ["people.csv", "warehouse.duckdb"]


def test_a_query_of_a_connection_reaches_nothing_else(
    warehouse: Connection, victim: Organization
) -> None:
    root = connections.files_root(victim)
    for name, text in QUERIES.items():
        query = text.format(victim=root)
        with pytest.raises(DatanikaError) as refused:
            connections.sample(warehouse, schema="", table="", query=query)
        assert CANARY not in f"{refused.value} {refused.value.detail}", name
    assert untouched(victim)


def test_a_preview_of_a_transformation_reaches_nothing_else(
    warehouse: Connection, victim: Organization
) -> None:
    assert transforms.preview(warehouse, name="calm", sql="select 1 as x")["rows"] == [["1"]]
    root = connections.files_root(victim)
    names = ("csv", "bare", "blob", "metadata", "loopback", "stacked", "copy", "attach")
    for name in names:
        with pytest.raises(DatanikaError) as refused:
            transforms.preview(warehouse, name="evil", sql=QUERIES[name].format(victim=root))
        assert CANARY not in f"{refused.value} {refused.value.detail}", name
    for text in ("env_var('SECRET_KEY')", "adapter.config.credentials", "modules.os.environ"):
        with pytest.raises(DatanikaError) as refused:
            transforms.preview(warehouse, name="evil", sql=f"select '{{{{ {text} | tojson }}}}'")
        assert CANARY not in f"{refused.value} {refused.value.detail}", text
    assert untouched(victim)


@pytest.mark.parametrize("connector", ["duckdb", "sqlite", "csv", "jsonl", "parquet"])
def test_hole_04_a_connection_to_a_neighbour_s_file_is_never_opened(
    connector: str, organization: Organization, editor: Person, victim: Organization
) -> None:
    link = connections.files_root(organization) / "link"
    link.symlink_to(connections.files_root(victim))
    neighbour = str(connections.files_root(victim) / "uploads" / "people.csv")
    for path in (neighbour, "link/uploads/people.csv", "link/warehouse.duckdb"):
        connection = make(organization, editor, "Evil", connector, path=path)
        stages = connection_services.check_connection(connection=connection, actor=editor.actor)
        assert any(stage["status"] == "failed" for stage in stages)
        with pytest.raises(DatanikaError) as refused:
            connections.discover(connection)
        assert CANARY not in f"{refused.value} {refused.value.detail}"
    with pytest.raises(UserError):
        make(organization, editor, "Evil", connector, path=f"../{victim.pk}/uploads/people.csv")


def evil_shop(path: Path, names: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table keep (id integer)")
        for name in names:
            quoted = name.replace('"', '""')
            database.execute(f'create table "{quoted}" (id integer primary key, "{quoted}" text)')
            database.execute(f'insert into "{quoted}" values (1, ?), (2, ?)', (name, "other"))
        database.commit()


def evil_resources() -> list[dict[str, Any]]:
    """Each name at once as table, target, column, key, cursor and value of a filter."""
    return [
        {
            "name": name,
            # Files may be made of a target, so a slash or two dots in one are refused (see below).
            "target": f"{number} {name.replace('/', '_').replace('..', '_')}",
            "write_disposition": "merge",
            "primary_key": [name],
            "cursor": {"column": name, "initial": None, "lookback": ""},
            "filters": [{"column": name, "op": "eq", "value": name}],
            "columns": [name],
        }
        for number, name in enumerate(NAMES)
    ]


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_names_stay_names_in_both_directions(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    end = file_endpoint("duckdb", "w.duckdb")
    if kind == "postgres":
        end = postgres_endpoint(request.getfixturevalue("postgres_url"))
    bench = Bench(tmp_path, file_endpoint("sqlite", "shop.sqlite"), end)
    evil_shop(bench.files / "shop.sqlite", NAMES)
    dataset = "raw'; drop schema public; --\""
    with pytest.raises(UserError, match="cannot be the name of a table"):
        bench.load({"name": "keep", "target": "../x"}, source_schema="main", load_id="1.0")
    events = bench.load(
        *evil_resources(), {"name": "keep"}, dataset=dataset, source_schema="main", load_id="1.1"
    )
    results = [event for event in events if event["event"] == "result"]
    failed = [one for one in results if one["status"] != "succeeded"]
    assert not failed, failed
    if kind == "duckdb":
        with duckdb.connect(str(bench.files / "w.duckdb"), read_only=True) as database:
            found = set(database.execute(TABLES, [dataset]).fetchall())
    else:
        with psycopg.connect(request.getfixturevalue("postgres_url")) as connection:
            found = set(connection.execute(TABLES.replace("?", "%s"), [dataset]).fetchall())
            public = connection.execute("select 1 from pg_namespace where nspname = 'public'")
            assert public.fetchone()
    assert len([name for (name,) in found if not name.startswith("_dlt")]) == len(NAMES) + 1
    assert [one["rows_loaded"] for one in results] == [1] * len(NAMES) + [0]


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_names_and_values_of_samples_stay_names(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    quoted = [(name, name.replace('"', '""')) for name in NAMES]
    statements = ["create table keep (id integer)"]
    for _, text in quoted:
        statements += [f'create table "{text}" ("{text}" text)']
    if kind == "duckdb":
        with duckdb.connect(str(tmp_path / "w.duckdb")) as database:
            for statement in statements:
                database.execute(statement)
            for name, text in quoted:
                database.execute(f'insert into "{text}" values (?), (?)', [name, "other"])
        connector, target = endpoint(tmp_path, "duckdb", "w.duckdb")
        schema = "main"
    else:
        url = request.getfixturevalue("postgres_url")
        with psycopg.connect(url) as connection:
            for statement in statements:
                connection.execute(statement.encode())
            for name, _ in quoted:
                into = sql.SQL("insert into {} values ({}), ('other')")
                connection.execute(into.format(sql.Identifier(name), sql.Literal(name)))
        values = values_of(url)
        secret = {"password": values.pop("password")}
        target = Target("postgres", {**values, "sslmode": "disable"}, secret, tmp_path)
        connector, schema = get_connector("postgres"), "public"
    for name in NAMES:
        for op, value in (("eq", name), ("in", [name]), ("ne", "other")):
            sample = connector.sample(
                target,
                schema=schema,
                table=name,
                columns=[name],
                filters=[{"column": name, "op": op, "value": value}],
                limit=10,
            )
            assert [row[0] for row in sample.rows] == [name], (name, op)
    assert connector.describe(target, schema=schema, table="keep").columns


@pytest.mark.chaos
def test_a_small_archive_that_unpacks_to_gigabytes_is_no_more_than_a_slow_file(
    organization: Organization, editor: Person
) -> None:
    line = b"1," + b"x" * 1022 + b"\n"
    bomb = gzip.compress(b"id,text\n" + line * (1024 * 1024), 9)
    assert len(bomb) < 8 * 1024 * 1024
    upload(organization, editor, "bomb.csv.gz", bomb)
    wide = gzip.compress(b"id\n" + b"x" * 512 * 1024 * 1024, 9)
    upload(organization, editor, "wide.csv.gz", wide)
    codes = []
    for name in ("bomb", "wide"):
        connection = make(organization, editor, name, "csv", path=f"uploads/{name}.csv.gz")
        try:
            sample = connections.sample(connection, schema="", table=f"{name}.csv.gz")
        except DatanikaError as refused:
            codes.append(refused.code)
        else:
            assert len(str(sample)) < 1024 * 1024
    assert "internal_error" not in codes


@pytest.mark.parametrize(
    "name",
    ["../x.csv", "/etc/x.csv", "a/b.csv", "a\\b.csv", ".x", "a\0.csv", "a\n.csv", "x" * 300, "\u202ea.csv",
     "", "..", "🔥.csv"],
)  # fmt: skip
def test_names_of_uploads_stay_in_their_directory(
    name: str, organization: Organization, editor: Person
) -> None:
    with pytest.raises(UserError) as refused:
        upload(organization, editor, name, b"id\n1\n")
    assert refused.value.field == "file"
    root = connections.files_root(organization)
    assert not [path for path in root.rglob("*") if path.is_file()]
