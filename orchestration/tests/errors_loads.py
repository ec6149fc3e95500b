"""What whole loads end in, and connections that are never made."""

# ruff: noqa: E501, a table is read by its rows

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg

from common.children.failures import error_event
from orchestration.tests.errors_world import Case, Event, World, refused
from pipelines.tests.engine_support import Bench, file_endpoint, pg, postgres_endpoint
from pipelines.tests.mysql_support import my, mysql_endpoint

_PG_ORDERS = (
    "DROP TABLE IF EXISTS orders",
    "DROP TYPE IF EXISTS mood",
    "CREATE TYPE mood AS ENUM ('ok', 'sad')",
    "CREATE TABLE orders (id int PRIMARY KEY, status mood, doc json, paid boolean, note text)",
    "INSERT INTO orders VALUES (1, 'ok', '{}', true, 'a'), (2, 'sad', '{}', false, 'b')",
)
_MY_ORDERS = (
    "DROP TABLE IF EXISTS orders",
    "CREATE TABLE orders (id INT PRIMARY KEY, status ENUM('ok', 'sad'), note VARCHAR(20))",
    "INSERT INTO orders VALUES (1, 'ok', 'a'), (2, 'sad', 'b')",
)
_ORDERS = {"schema": "public", "name": "orders", "target": "orders"}


def _bench(world: World, name: str, source: dict[str, Any]) -> Bench:
    directory = world.directory / name.replace(" ", "_").replace(":", "")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return Bench(directory, source, file_endpoint("duckdb", "w.duckdb"))


def _ended(bench: Bench, resource: dict[str, Any], **changes: Any) -> Event:
    with refused() as found:
        bench.load(resource, **changes)
    return error_event(found[0])


def _from_postgres(place: str, **resource: Any) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        pg(world.postgres, *_PG_ORDERS)
        bench = _bench(world, place, postgres_endpoint(world.postgres))
        return _ended(bench, {**_ORDERS, **resource})

    return provoke


def _from_mariadb(place: str, **resource: Any) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        my(world.mariadb, *_MY_ORDERS)
        bench = _bench(world, place, mysql_endpoint(world.mariadb))
        database = urlsplit(world.mariadb).path.lstrip("/")
        wanted = {**_ORDERS, "schema": database, **resource}
        return _ended(bench, wanted, mode="query" if resource.get("query") else "selected")

    return provoke


def _postgres_as(changes: dict[str, Any], password: str | None = None) -> Callable[[World], Event]:
    """A connection with something wrong in it."""

    def provoke(world: World) -> Event:
        endpoint = postgres_endpoint(world.postgres)
        endpoint["config"] |= changes
        if password is not None:
            endpoint["secrets"] = {"password": password}
        return _ended(_bench(world, "postgres", endpoint), _ORDERS)

    return provoke


def _postgres_user(statement: str, user: str, password: str) -> Callable[[World], Event]:
    """As a user that is made for it and taken away again."""

    def provoke(world: World) -> Event:
        with psycopg.connect(world.postgres, autocommit=True) as admin:
            admin.execute(f"DROP ROLE IF EXISTS {user}".encode())
            admin.execute(statement.encode())
            try:
                return _postgres_as({"user": user}, password)(world)
            finally:
                admin.execute(f"DROP ROLE {user}".encode())

    return provoke


def _mariadb_as(changes: dict[str, Any], password: str | None = None) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        endpoint = mysql_endpoint(world.mariadb, **changes)
        if password is not None:
            endpoint["secrets"] = {"password": password}
        return _ended(_bench(world, "mariadb", endpoint), _ORDERS)

    return provoke


def _mariadb_user(user: str, grant: str) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        database = urlsplit(world.mariadb).path.lstrip("/")
        my(world.mariadb, *_MY_ORDERS, f"CREATE OR REPLACE USER {user} IDENTIFIED BY 'tulip-47'")
        try:
            if grant:
                my(world.mariadb, grant.format(database=database, user=user))
            return _mariadb_as({"user": user}, "tulip-47")(world)
        finally:
            my(world.mariadb, f"DROP USER {user}")

    return provoke


def _from_file(
    name: str, connector: str, file: str, content: bytes | None, path: str = ""
) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        bench = _bench(world, name, file_endpoint(connector, path))
        if content is not None:
            (bench.files / file).write_bytes(content)
        wanted = {"name": file, "target": "orders"}
        if connector in {"sqlite", "duckdb"}:
            wanted = {"schema": "main", "name": "orders", "target": "orders"}
        return _ended(bench, wanted)

    return provoke


def _twice(first: bytes, second: bytes, **resource: Any) -> Callable[[World], Event]:
    """A file that is another one at the second load."""

    def provoke(world: World) -> Event:
        bench = _bench(world, "twice", file_endpoint("csv"))
        wanted = {"name": "orders.csv", "target": "orders", **resource}
        (bench.files / "orders.csv").write_bytes(first)
        bench.load(wanted)
        (bench.files / "orders.csv").write_bytes(second)
        with contextlib.suppress(OSError):
            shutil.rmtree(bench.files / "work")
        return _ended(bench, wanted)

    return provoke


def _merged(world: World) -> Event:
    bench = _bench(world, "merge", file_endpoint("csv"))
    (bench.files / "orders.csv").write_bytes(b"id\n1\n")
    wanted = {"name": "orders.csv", "target": "orders", "write_disposition": "merge"}
    return _ended(bench, wanted)


def cases() -> Iterator[Case]:
    frozen = {"tables": "evolve", "columns": "freeze", "data_type": "evolve"}
    filters = {"filters": [{"column": "status", "op": "eq", "value": "furious"}]}
    rows: tuple[tuple[str, str, str, Callable[[World], Event]], ...] = (
        ("PostgreSQL: load of a table that is gone", "missing-table", "a name that is no table", _from_postgres("a", name="odrers")),
        ("PostgreSQL: load by a cursor that is gone", "missing-column", "cursor on a name that is no column", _from_postgres("b", cursor={"column": "changed"}, write_disposition="append")),
        ("PostgreSQL: load by a cursor of json", "sql-no-such-operator", "cursor on a json column", _from_postgres("c", cursor={"column": "doc"}, write_disposition="append")),
        ("PostgreSQL: load by a cursor of boolean", "sql-no-such-operator", "cursor on a boolean column", _from_postgres("d", cursor={"column": "paid"}, write_disposition="append")),
        ("PostgreSQL: filter by no value of the enum", "value-not-of-type", "status = 'furious'", _from_postgres("e", **filters)),
        ("PostgreSQL: filter on a column that is gone", "missing-column", "a filter on a name that is no column", _from_postgres("f", filters=[{"column": "colour", "op": "eq", "value": "x"}])),
        ("PostgreSQL: filter by a text on a number", "bad-filter", "id = 'abc'", _from_postgres("g", filters=[{"column": "id", "op": "eq", "value": "abc"}])),
        ("PostgreSQL: wrong password", "wrong-password", "a user with another password", _postgres_user("CREATE ROLE loader_a LOGIN PASSWORD 'tulip-47'", "loader_a", "rose-47")),
        ("PostgreSQL: user may not sign in", "user-may-not-sign-in", "a role with NOLOGIN", _postgres_user("CREATE ROLE loader_b NOLOGIN PASSWORD 'tulip-47'", "loader_b", "tulip-47")),
        ("PostgreSQL: no connection for the user", "no-connection-to-spare", "CONNECTION LIMIT 0", _postgres_user("CREATE ROLE loader_c LOGIN CONNECTION LIMIT 0 PASSWORD 'tulip-47'", "loader_c", "tulip-47")),
        ("PostgreSQL: no such database", "no-such-database", "another database name", _postgres_as({"database": "nothing_here"})),
        ("PostgreSQL: no TLS there", "tls-not-offered", "sslmode require", _postgres_as({"sslmode": "require"})),
        ("PostgreSQL: nobody listens", "connection-refused", "port 1", _postgres_as({"port": 1})),
        ("PostgreSQL: no such host", "host-unknown", "a host name that nobody has", _postgres_as({"host": "db.nowhere.invalid"})),
        ("MariaDB: load of a table that is gone", "missing-table", "a name that is no table", _from_mariadb("h", name="odrers")),
        ("MariaDB: query with a mistake", "sql-syntax", "mode query, SELEC", _from_mariadb("i", schema="", name="q", target="q", query="SELEC 1")),
        ("MariaDB: query of a table that is gone", "missing-table", "mode query, no such table", _from_mariadb("j", schema="", name="q", target="q", query="SELECT * FROM nothing_here")),
        ("MariaDB: query of a column that is gone", "missing-column", "mode query, no such column", _from_mariadb("k", schema="", name="q", target="q", query="SELECT colour FROM orders")),
        ("MariaDB: wrong password", "wrong-password", "another password", _mariadb_as({}, "rose-47")),
        ("MariaDB: no such database", "no-such-database", "another database name", _mariadb_as({"database": "nothing_here"})),
        ("MariaDB: a database closed to the user", "database-closed-to-user", "a user without rights", _mariadb_user("loader_d", "")),
        ("MariaDB: a table closed to the user", "missing-table", "a user with a right on another table", _mariadb_user("loader_e", "GRANT CREATE ON `{database}`.other TO {user}")),
        ("MariaDB: nobody listens", "connection-refused", "port 1", _mariadb_as({"port": 1})),
        ("CSV: ragged", "ragged-file", "a line with a field too many", _from_file("l", "csv", "orders.csv", b"id,a\n1,x\n2,y,z\n3,z\n")),
        ("CSV: file is gone", "file-missing", "a name that is no file", _from_file("m", "csv", "orders.csv", None)),
        ("CSV: empty file", "does-not-fit", "no bytes at all", _from_file("n", "csv", "orders.csv", b"")),
        ("JSON lines: broken", "json-broken", "a line that is cut off", _from_file("o", "jsonl", "orders.jsonl", b'{"id": 1}\n{"id": \n')),
        ("JSON: broken", "json-broken", "a list that is never closed", _from_file("p", "json", "orders.json", b'[{"id": 1}, {"id": ]')),
        ("Parquet: no parquet", "invalid-input", "a text in a file of that name", _from_file("q", "parquet", "orders.parquet", b"id,a\n1,x\n" * 40)),
        ("SQLite: load from no database", "no-database-file", "a text in a file of that name", _from_file("r", "sqlite", "shop.db", b"id,a\n1,x\n" * 200, "shop.db")),
        ("SQLite: load from a file that is gone", "file-missing", "no such file", _from_file("s", "sqlite", "shop.db", None, "shop.db")),
        ("DuckDB: load from a file that is gone", "file-missing", "no such file", _from_file("t", "duckdb", "shop.duckdb", None, "shop.duckdb")),
        ("DuckDB: load from no database", "file-not-opened", "a text in a file of that name", _from_file("u", "duckdb", "shop.duckdb", b"id,a\n1,x\n" * 900, "shop.duckdb")),
        ("Contract: a new column", "schema-frozen", "columns are frozen, the file has one more", _twice(b"id\n1\n", b"id,a\n1,x\n", schema_contract=frozen)),
        ("Merge: no key", "missing-key", "merge without a primary key", _merged),
    )  # fmt: skip
    for name, expects, how, provoke in rows:
        yield Case(name, name.partition(":")[0], how, expects, provoke)
