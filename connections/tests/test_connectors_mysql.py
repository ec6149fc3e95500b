"""MySQL and MariaDB, with a real server."""

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest

from common.errors import NotFound, TransientError, UserError
from connections.connectors import mysql, mysql_catalog, mysql_connection
from connections.connectors.base import StageStatus, Target
from connections.connectors.duckdb_support import connect_duckdb
from connections.tests.mysql_endpoints import CONNECTOR, run, stages, target_of

PASSWORD = "pä'ss \"w\\ord 🐴"
TYPES = {
    "t_bool": "tinyint(1)",
    "t_int": "int(10) unsigned",
    "t_big": "bigint(20)",
    "t_dec": "decimal(30,10)",
    "t_float": "float",
    "t_double": "double",
    "t_bit": "bit(10)",
    "t_date": "date",
    "t_time": "time(3)",
    "t_datetime": "datetime(6)",
    "t_timestamp": "timestamp",
    "t_year": "year(4)",
    "t_char": "char(3)",
    "t_varchar": "varchar(50)",
    "t_text": "longtext",
    "t_enum": "enum('a','b''c')",
    "t_set": "set('x','y')",
    "t_binary": "binary(2)",
    "t_blob": "longblob",
    "t_point": "point",
}


@pytest.fixture
def shop(mariadb_url: str, tmp_path: Path) -> Target:
    run(
        mariadb_url,
        """CREATE TABLE orders (region varchar(10), id bigint, `100% ``odd` decimal(12,2),
           seen datetime(6), raw varbinary(8), path varchar(40), flag bit(4),
           doubled decimal(13,2) AS (`100% ``odd` * 2) STORED,
           PRIMARY KEY (id, region))""",
        """INSERT INTO orders (region, id, `100% ``odd`, seen, raw, path, flag) VALUES
           ('n', 1, 10.50, '2026-01-01 00:00:00', x'00ff', 'a\\\\b', b'101'),
           ('s', 2, NULL, NULL, NULL, '', NULL),
           ('s', 3, -1, '2026-02-01 00:00:00', NULL, NULL, b'0')""",
        "CREATE VIEW big AS SELECT * FROM orders",
        "CREATE TABLE `Zebra` (id int)",
        "CREATE TABLE `zoo ñ` (id int)",
        "CREATE SEQUENCE counter",
    )
    return target_of(mariadb_url, tmp_path)


@pytest.fixture
def reader(shop: Target, mariadb_url: str) -> Iterator[Target]:
    """A user with the rights of the grant script on two tables, and a difficult password."""
    name = f"r_{mariadb_url[-12:]}"
    database = shop.config["database"]
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    run(
        mariadb_url,
        f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY '{quoted}'",
        f"GRANT SELECT ON {database}.orders TO '{name}'@'127.0.0.1'",
        f"GRANT INSERT ON {database}.`Zebra` TO '{name}'@'127.0.0.1'",
    )
    yield replace(shop, config=shop.config | {"user": name}, secrets={"password": PASSWORD})
    run(mariadb_url, f"DROP USER '{name}'@'127.0.0.1'")


def test_the_check_goes_through_every_stage(shop: Target, reader: Target) -> None:
    both = stages(shop, "both")
    assert [s.name for s in both] == ["resolve", "connect", "tls", "sign in", "read", "write"]
    status = {s.name: s.status for s in both}
    assert status["tls"] is StageStatus.WARN, "the test server offers no TLS"
    assert status["sign in"] is StageStatus.WARN
    assert "FILE and SUPER" in both[3].text
    assert "MariaDB" in both[3].text
    assert both[4].text == "4 tables can be read."
    assert both[5].text == "Databases and tables can be created."
    one = stages(reader)
    assert one[3].status is StageStatus.OK
    assert (one[-1].name, one[-1].status) == ("read", StageStatus.WARN)
    assert f"{shop.config['database']}.Zebra" in one[-1].text
    refused = stages(reader, "destination")[-1]
    assert (refused.name, refused.status) == ("write", StageStatus.FAILED)
    assert "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP" in refused.remedy
    assert "pä'ss" not in repr([one, refused])


def test_a_user_of_the_grant_script_may_write(
    shop: Target, reader: Target, mariadb_url: str
) -> None:
    user, database = reader.config["user"], shop.config["database"]
    rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP"
    assert rights.replace("ALTER, ", "ALTER,\n  ") in mysql.GRANT_SCRIPT
    run(mariadb_url, f"GRANT {rights} ON {database}.* TO '{user}'@'127.0.0.1'")
    assert stages(reader, "destination")[-1].text == f"Tables can be created in {database}."
    assert run(mariadb_url, "SHOW TABLES LIKE '\\_datanika%'") == []


def test_what_makes_loads_slow_or_impossible_is_said(shop: Target, mariadb_url: str) -> None:
    try:
        run(mariadb_url, "SET GLOBAL local_infile = 0")
        told = stages(shop, "destination")[3]
        assert (told.status, "slower" in told.text) == (StageStatus.WARN, True)
        assert "LOAD DATA" not in stages(shop, "source")[3].text
        run(mariadb_url, "SET GLOBAL read_only = 1")
        assert "read-only replica" in stages(shop, "destination")[-1].text
    finally:
        run(mariadb_url, "SET GLOBAL local_infile = 1", "SET GLOBAL read_only = 0")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("changes", "stage", "words"),
    [
        ({"host": "no.such.host.example"}, "resolve", "does not exist"),
        ({"host": "169.254.169.254"}, "resolve", "metadata service"),
        ({"port": "closed"}, "connect", "refused the connection"),
        ({"sslmode": "require"}, "tls", "offers no TLS"),
        ({"password": "wrong-canary"}, "sign in", "did not accept user"),
        ({"user": "nobody_here"}, "sign in", "did not accept user"),
        ({"database": "no_such"}, "sign in", 'no database "no_such"'),
        ({"schemas": "no_such"}, "read", "no database no_such"),
    ],
)
def test_the_check_says_what_is_wrong(
    shop: Target, mariadb_url: str, tmp_path: Path, changes: dict[str, Any], stage: str, words: str
) -> None:
    if changes.get("port") == "closed":
        changes = {"port": _free_port()}
    # The form refuses such an address by now; a connection saved before that is refused when it is dialled.
    metadata = changes if changes.get("host") == "169.254.169.254" else {}
    target = target_of(mariadb_url, tmp_path, **({} if metadata else changes))
    target = replace(target, config={**target.config, **metadata})
    last = stages(target)[-1]
    assert (last.name, last.status) == (stage, StageStatus.FAILED)
    assert words in last.text
    assert last.remedy
    assert target.secrets["password"] not in repr(last)
    if stage != "read":
        with pytest.raises(UserError):
            mysql_connection.connect(target)
        with connect_duckdb() as con, pytest.raises(UserError) as refused:
            mysql_connection.duckdb_attach(target, con, "my", read_only=True)
        assert target.secrets["password"] not in repr(refused.value.as_event())


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-nothing\r\n", b"\x01\0\0\0\x09"])
def test_something_else_on_the_port_is_named(shop: Target, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(4):
                client = server.accept()[0]
                client.sendall(greeting)
                client.close()

        threading.Thread(target=answer, daemon=True).start()
        other = replace(shop, config=shop.config | {"port": server.getsockname()[1]})
        last = stages(other)[-1]
        assert (last.name, last.status) == ("tls", StageStatus.FAILED)
        assert "not a MySQL" in last.text
        with pytest.raises(UserError):
            mysql_connection.connect(other)


def test_the_catalogue_is_paged_and_sorted(shop: Target, reader: Target, mariadb_url: str) -> None:
    def names(target: Target, **options: Any) -> list[str]:
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            defaults: dict[str, Any] = {"search": "", "schema": "", "after": after, "limit": 2}
            page = CONNECTOR.discover(target, **(defaults | options))
            found += [table.name for table in page.tables]
            after = page.next
        return found

    assert names(shop) == ["Zebra", "big", "orders", "zoo ñ"]
    assert names(reader) == ["Zebra", "orders"]
    assert names(shop, search="OR") == ["orders"]
    assert names(shop, search="%") == []
    database = shop.config["database"]
    assert names(shop, schema=database) == names(shop)
    assert names(shop, schema="mysql") == []
    run(mariadb_url, f"CREATE DATABASE {database}_b", f"CREATE TABLE {database}_b.a (id int)")
    try:
        two = replace(shop, config=shop.config | {"schemas": [f"{database}_b", database]})
        assert names(two) == ["Zebra", "big", "orders", "zoo ñ", "a"]
        page = CONNECTOR.discover(two, search="", schema="", after="", limit=9)
        assert page.schemas == (database, f"{database}_b")
        assert [(t.kind, t.rows) for t in page.tables][1:3] == [("view", None), ("table", 3)]
    finally:
        run(mariadb_url, f"DROP DATABASE {database}_b")
    with pytest.raises(UserError, match="not the key"):
        CONNECTOR.discover(shop, search="", schema="", after="nonsense", limit=2)


def test_tables_are_described_as_declared(shop: Target, reader: Target, mariadb_url: str) -> None:
    orders = CONNECTOR.describe(shop, schema=shop.config["database"], table="orders")
    types = {column.name: column.type for column in orders.columns}
    assert types["100% `odd"] == "decimal(12,2)"
    assert types["doubled"] == "decimal(13,2)"
    assert orders.primary_key == ("id", "region")
    assert [c.name for c in orders.columns if not c.nullable] == ["region", "id"]
    columns = ", ".join(f"{name} {declared}" for name, declared in TYPES.items())
    run(mariadb_url, f"CREATE TABLE every_type ({columns})")
    found = CONNECTOR.describe(shop, schema="", table="every_type")
    assert {column.name: column.type for column in found.columns} == TYPES
    assert CONNECTOR.describe(shop, schema="", table="big").kind == "view"
    for schema, table in (("", "gone"), ("mysql", "user"), ("", "counter")):
        with pytest.raises(NotFound):
            CONNECTOR.describe(shop, schema=schema, table=table)
    with pytest.raises(UserError, match="lacks a right"):
        CONNECTOR.sample(reader, schema="", table="Zebra", columns=None, filters=[], limit=5)


def test_a_sample_shows_values_as_the_server_writes_them(shop: Target) -> None:
    found = CONNECTOR.sample(shop, schema="", table="orders", columns=None, filters=[], limit=1)
    assert dict(zip(found.columns, found.rows[0], strict=True)) == {
        "region": "n",
        "id": "1",
        "100% `odd": "10.50",
        "seen": "2026-01-01 00:00:00.000000",
        "raw": "00ff",
        "path": "a\\b",
        "flag": "5",
        "doubled": "21.00",
    }
    assert (found.kept, found.total) == (None, None)


@pytest.mark.parametrize(
    ("column", "op", "value", "kept"),
    [
        ("id", "gte", "2", ["2", "3"]),
        ("100% `odd", "lt", "0", ["3"]),
        ("100% `odd", "in", [10.5, "-1.00"], ["1", "3"]),
        ("seen", "gt", "2026-01-01", ["3"]),
        ("raw", "eq", "00ff", ["1"]),
        ("path", "eq", "a\\b", ["1"]),
        ("path", "eq", "", ["2"]),
        ("path", "eq", "\\' OR 1=1 -- ", []),
    ],
)
def test_filters_run_in_the_server(
    shop: Target, column: str, op: str, value: Any, kept: list[str]
) -> None:
    filters = [{"column": column, "op": op, "value": value}]
    found = CONNECTOR.sample(
        shop, schema="", table="orders", columns=["id"], filters=filters, limit=9
    )
    assert sorted(row[0] or "" for row in found.rows) == kept
    assert (found.kept, found.total) == (len(kept), 3)


def test_a_sample_is_bounded_and_changes_nothing(shop: Target, mariadb_url: str) -> None:
    run(
        mariadb_url,
        "CREATE FUNCTION meddle() RETURNS int NOT DETERMINISTIC "
        "BEGIN INSERT INTO `Zebra` VALUES (1); RETURN 1; END",
        "CREATE VIEW meddler AS SELECT meddle() AS a",
        "CREATE VIEW broken AS SELECT id FROM `Zebra`",
        "ALTER TABLE `Zebra` CHANGE id other int",
        "CREATE VIEW slow AS SELECT SLEEP(30) AS a FROM orders",
    )
    options: dict[str, Any] = {"columns": None, "filters": [], "limit": 5}
    with pytest.raises(UserError, match="takes no writes"):
        CONNECTOR.sample(shop, schema="", table="meddler", **options)
    with pytest.raises(UserError, match="cannot be read"):
        CONNECTOR.sample(shop, schema="", table="broken", **options)
    assert run(mariadb_url, "SELECT COUNT(*) FROM `Zebra`") == [(0,)]
    assert f"{shop.config['database']}.broken" in stages(shop)[-1].text
    started = time.monotonic()
    with pytest.raises(TransientError, match="too long"):
        CONNECTOR.sample(shop, schema="", table="slow", **options)
    assert time.monotonic() - started < 5


#: Making and dropping 2,000 tables takes MariaDB most of a minute.
@pytest.mark.chaos
def test_many_tables_stay_quick(shop: Target, mariadb_url: str) -> None:
    run(mariadb_url, *(f"CREATE TABLE t{i:04} (id int) ENGINE=MyISAM" for i in range(2000)))
    started = time.monotonic()
    page = CONNECTOR.discover(shop, search="t", schema="", after="", limit=200)
    assert len(page.tables) == 200
    assert time.monotonic() - started < 2
    assert stages(shop)[-1].text.startswith("2,004 tables can be read")


# --- the doors of the engine ---------------------------------------------------------------------


def test_a_session_has_no_surprises(reader: Target, mariadb_url: str) -> None:
    with closing(mysql_connection.connect(reader)) as con, con.cursor() as cursor:
        cursor.execute("SELECT @@time_zone, @@sql_mode, @@autocommit, @@character_set_client")
        zone, mode, autocommit, charset = cursor.fetchone()
        assert (zone, autocommit, charset) == ("+00:00", 1, "utf8mb4")
        assert set(mode.split(",")) >= {"STRICT_ALL_TABLES", "NO_AUTO_VALUE_ON_ZERO"}
        with pytest.raises(pymysql.OperationalError, match="local infile"):
            cursor.execute("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE `Zebra`")
    values = mysql_connection.parameters(reader)
    assert (values["hostaddr"], values["password"]) == ("127.0.0.1", PASSWORD)
    assert "pä'ss" not in CONNECTOR.address(reader.config)


def test_bytes_are_loaded_without_a_file(shop: Target, mariadb_url: str) -> None:
    statement = "LOAD DATA LOCAL INFILE 'x' INTO TABLE `Zebra`"
    with closing(mysql_connection.connect(shop, local_data=True)) as con:
        chunks = (
            "".join(f"{n}\n" for n in range(start, start + 50_000)).encode()
            for start in (0, 50_000)
        )
        assert mysql_connection.load_local(con, statement, chunks) == (100_000, 0)
        assert run(mariadb_url, "SELECT SUM(id) FROM `Zebra`") == [(4_999_950_000,)]

        def broken() -> Iterator[bytes]:
            yield b"7\n" * 100_000
            raise ValueError("the source is gone")

        with pytest.raises(ValueError, match="gone"):
            mysql_connection.load_local(con, statement, broken())
    assert run(mariadb_url, "SELECT COUNT(*) FROM `Zebra`") == [(100_000,)]


def test_a_query_is_stopped_from_beside(shop: Target) -> None:
    with closing(mysql_connection.connect(shop)) as con:
        ((number,),) = mysql_catalog.rows_of(con, "SELECT CONNECTION_ID()")
        stopper = threading.Timer(0.5, mysql_connection.kill_query, (shop, number))
        stopper.start()
        started = time.monotonic()
        with pytest.raises(pymysql.OperationalError, match="interrupted"):
            con.query("SELECT SLEEP(20) FROM orders")
        assert time.monotonic() - started < 10
        stopper.join()
    mysql_connection.kill_query(shop, number)


def test_duckdb_reads_and_writes_through_the_relay(shop: Target, mariadb_url: str) -> None:
    database = shop.config["database"]
    with connect_duckdb() as con:
        mysql_connection.duckdb_attach(shop, con, "my", read_only=False)
        session = "SELECT * FROM mysql_query('my', 'SELECT @@time_zone, @@sql_mode')"
        # The second use of a connection comes after the extension reset its session.
        for _ in range(3):
            zone, mode = con.execute(session).fetchall()[0]
            assert (zone, "STRICT_ALL_TABLES" in mode) == ("+00:00", True)
        con.execute(
            f"CREATE TABLE my.{database}.many AS SELECT range AS id, 'ä' || range AS v "
            "FROM range(200000)"
        )
        found = con.execute(f"SELECT COUNT(*), SUM(id), MAX(v) FROM my.{database}.many").fetchall()
        assert found == [(200_000, 19_999_900_000, "ä99999")]
        assert con.execute(f"SELECT seen FROM my.{database}.orders WHERE id = 1").fetchall() == [
            (dt.datetime(2026, 1, 1),)  # noqa: DTZ001, MySQL's datetime has no zone
        ]
        shown = con.execute("SELECT secret_string FROM duckdb_secrets()").fetchall()
        shown += con.execute("SELECT path FROM duckdb_databases()").fetchall()
        assert shop.secrets["password"] not in repr(shown)
        mysql_connection.duckdb_attach(shop, con, "ro", read_only=True)
        with pytest.raises(Exception, match="read-only"):
            con.execute(f"CREATE TABLE ro.{database}.x (a int)")


def test_public_only_egress_refuses_the_private_server(shop: Target) -> None:
    closed = replace(shop, egress="public-only")
    assert "private address" in stages(closed)[-1].text
    for dial in (mysql_connection.connect, mysql_connection.parameters):
        with pytest.raises(UserError, match="private address"):
            dial(closed)
