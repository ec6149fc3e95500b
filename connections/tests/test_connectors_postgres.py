"""PostgreSQL, with a real server."""

import datetime as dt
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from common.errors import NotFound, TransientError, UserError
from connections.connectors import postgres
from connections.connectors.base import StageStatus, Target
from connections.connectors.duckdb_support import connect_duckdb, load_extension
from connections.connectors.sql import quote_text
from connections.tests.postgres_endpoints import CONNECTOR, stages, target_of


@pytest.fixture
def shop(postgres_url: str, tmp_path: Path) -> Target:
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute(
            """
            CREATE SCHEMA sales;
            CREATE TYPE mood AS ENUM ('good', 'bad');
            CREATE TABLE sales.orders (
                region text, id bigint, "100%% ""odd" numeric(12,2), seen timestamptz, mood mood,
                ref uuid, raw bytea, tags text[] NOT NULL DEFAULT '{}', path text,
                PRIMARY KEY (id, region));
            INSERT INTO sales.orders VALUES
                ('n', 1, 10.50, '2026-01-01 00:00+00', 'good',
                 '9f8b1c9e-0000-4000-8000-000000000001', '\\x00ff', '{a}', 'a\\b'),
                ('s', 2, NULL, NULL, 'bad', NULL, NULL, '{}', ''),
                ('s', 3, -1, '2026-02-01 00:00+00', NULL, NULL, NULL, '{}', NULL);
            CREATE VIEW sales.big AS SELECT * FROM sales.orders;
            CREATE TABLE sales.parted (day date) PARTITION BY RANGE (day);
            CREATE TABLE sales.parted_2026 PARTITION OF sales.parted
                FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
            CREATE TABLE public."B" (id int);
            CREATE TABLE public.a (id int);
            ANALYZE sales.orders;
            """.replace("%%", "%")
        )
    return target_of(postgres_url, tmp_path)


@pytest.fixture
def reader(shop: Target, postgres_url: str) -> Iterator[Target]:
    """A user with the rights of the grant script, except for one table."""
    name = f"reader_{postgres_url[-12:]}"
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pa''ss \\w'")
        con.execute(f"GRANT USAGE ON SCHEMA sales, public TO {name}")
        con.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA sales, public TO {name}")
        con.execute(f"REVOKE SELECT ON sales.orders FROM {name}")
    yield Target(
        "postgres",
        shop.config | {"user": name},
        {"password": "pa'ss \\w"},
        shop.files_root,
        private_dir=shop.private_dir,
    )
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_the_check_goes_through_every_stage(shop: Target, reader: Target) -> None:
    both = stages(shop, "both")
    assert [s.name for s in both] == ["resolve", "connect", "tls", "sign in", "read", "write"]
    status = {s.name: s.status for s in both}
    assert status["tls"] is StageStatus.WARN, "the test server offers no TLS"
    assert status["sign in"] is StageStatus.WARN
    assert "superuser" in both[3].text
    assert (status["read"], status["write"]) == (StageStatus.OK, StageStatus.OK)

    limited = stages(reader)
    assert limited[3].status is StageStatus.OK
    assert limited[-1].status is StageStatus.WARN
    assert "4 tables can be read. 1 table cannot: sales.orders." in limited[-1].text
    assert "GRANT" in limited[-1].remedy
    write = stages(reader, "destination")[-1]
    assert (write.name, write.status) == ("write", StageStatus.FAILED)
    assert f'GRANT CREATE ON DATABASE "{shop.config["database"]}"' in write.remedy


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("changes", "stage", "words"),
    [
        ({"password": "wr0ng-secret"}, "sign in", "did not accept the password"),
        ({"password": ""}, "sign in", "did not accept the password"),
        ({"user": "no%(s)body"}, "sign in", "did not accept the password"),
        ({"database": "no{such}"}, "sign in", 'There is no database "no{such}"'),
        ({"host": "no-such-host.invalid"}, "resolve", "does not exist"),
        ({"host": "169.254.169.254"}, "resolve", "metadata"),
        ({"port": "closed"}, "connect", "refused the connection"),
        ({"sslmode": "require"}, "tls", "offers no TLS"),
        ({"schemas": ["sales", "typo"]}, "read", "There is no schema typo"),
    ],
)
def test_the_check_says_what_is_wrong(
    shop: Target, postgres_url: str, tmp_path: Path, changes: dict[str, Any], stage: str, words: str
) -> None:
    if changes.get("port") == "closed":
        changes = {"port": _free_port()}
    # The form refuses such an address by now; a connection saved before that is refused when it is dialled.
    metadata = changes if changes.get("host") == "169.254.169.254" else {}
    target = target_of(postgres_url, tmp_path, **({} if metadata else changes))
    target = replace(target, config={**target.config, **metadata})
    result = stages(target)
    assert (result[-1].name, result[-1].status) == (stage, StageStatus.FAILED)
    assert words in result[-1].text
    assert result[-1].remedy
    secret = target.secrets["password"]
    assert not secret or secret not in repr(result)
    if stage != "read":
        with pytest.raises(UserError):
            CONNECTOR.conninfo(target)


def test_a_server_that_is_full_or_no_postgres_is_named(shop: Target, tmp_path: Path) -> None:
    with psycopg.connect(CONNECTOR.conninfo(shop), autocommit=True) as con:
        con.execute("CREATE ROLE single_seat LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
        try:
            full = Target(
                "postgres", shop.config | {"user": "single_seat"}, {"password": "x"}, tmp_path
            )
            with pytest.raises(TransientError, match="no connection to spare"):
                CONNECTOR.describe(full, schema="public", table="a")
        finally:
            con.execute("DROP ROLE single_seat")


def test_something_else_on_the_port_is_named(shop: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(2):
                server.accept()[0].close()

        helper = threading.Thread(target=hang_up, daemon=True)
        helper.start()
        port = server.getsockname()[1]
        other = Target("postgres", shop.config | {"port": port}, {}, shop.files_root)
        last = stages(other)[-1]
        helper.join(5)
    assert (last.name, last.status) == ("tls", StageStatus.FAILED)


def test_the_catalogue_is_paged_and_sorted(shop: Target, reader: Target) -> None:
    def names(target: Target, **options: Any) -> list[str]:
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            defaults: dict[str, Any] = {"search": "", "schema": "", "after": after, "limit": 2}
            page = CONNECTOR.discover(target, **(defaults | options))
            found += [f"{table.schema}.{table.name}" for table in page.tables]
            after = page.next
        return found

    assert names(shop) == ["public.B", "public.a", "sales.big", "sales.orders", "sales.parted"]
    assert names(reader) == ["public.B", "public.a", "sales.big", "sales.parted"]
    assert names(shop, search="OR") == ["sales.orders"]
    assert names(shop, schema="public") == ["public.B", "public.a"]
    only = Target("postgres", shop.config | {"schemas": ["sales"]}, shop.secrets, shop.files_root)
    assert names(only) == ["sales.big", "sales.orders", "sales.parted"]
    page = CONNECTOR.discover(shop, search="", schema="sales", after="", limit=9)
    assert page.schemas == ("public", "sales")
    assert [(t.kind, t.rows) for t in page.tables][:2] == [("view", None), ("table", 3)]
    with pytest.raises(UserError, match="not the key"):
        CONNECTOR.discover(shop, search="", schema="", after="nonsense", limit=2)


def test_tables_are_described_as_declared(shop: Target, reader: Target) -> None:
    orders = CONNECTOR.describe(shop, schema="sales", table="orders")
    types = {column.name: column.type for column in orders.columns}
    assert types['100% "odd'] == "numeric(12,2)"
    assert types["seen"] == "timestamp with time zone"
    assert types["tags"] == "text[]"
    assert orders.primary_key == ("id", "region")
    assert [c.name for c in orders.columns if not c.nullable] == ["region", "id", "tags"]
    with pytest.raises(NotFound, match=r"sales\.gone"):
        CONNECTOR.describe(shop, schema="sales", table="gone")
    with pytest.raises(UserError, match="lacks a right"):
        CONNECTOR.sample(reader, schema="sales", table="orders", columns=None, filters=[], limit=5)


@pytest.mark.parametrize(
    ("column", "op", "value", "kept"),
    [
        ("id", "gte", "2", ["2", "3"]),
        ('100% "odd', "lt", "0", ["3"]),
        ('100% "odd', "in", [10.5, "-1.00"], ["1", "3"]),
        ('100% "odd', "ne", 10.5, ["3"]),
        ("seen", "gt", "2026-01-01T01:30:00+01:00", ["3"]),  # half past midnight in UTC
        ("seen", "eq", "2026-01-01", ["1"]),
        ("mood", "not_in", "good", ["2"]),
        ("ref", "eq", "9F8B1C9E000040008000000000000001", ["1"]),
        ("raw", "eq", "\\x00ff", ["1"]),
        ("path", "eq", "a\\b", ["1"]),
        ("path", "eq", "", ["2"]),
        ("path", "eq", "\\' OR 1=1 --", []),
    ],
)
def test_filters_run_in_the_server(
    shop: Target, column: str, op: str, value: Any, kept: list[str]
) -> None:
    filters = [{"column": column, "op": op, "value": value}]
    found = CONNECTOR.sample(
        shop, schema="sales", table="orders", columns=["id"], filters=filters, limit=9
    )
    assert sorted(row[0] or "" for row in found.rows) == kept
    assert (found.kept, found.total) == (len(kept), 3)


def test_a_sample_is_bounded_and_changes_nothing(
    shop: Target, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STATEMENT_MS", 500)
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute(
            """CREATE FUNCTION meddle() RETURNS int LANGUAGE plpgsql AS
               $$ BEGIN INSERT INTO public.a VALUES (1); RETURN 1; END $$;
               CREATE VIEW public.meddler AS SELECT meddle();
               CREATE VIEW public.slow AS SELECT pg_sleep(30)::text AS t"""
        )
    options: dict[str, Any] = {"columns": None, "filters": [], "limit": 5}
    with pytest.raises(UserError) as refused:
        CONNECTOR.sample(shop, schema="public", table="meddler", **options)
    assert "read-only" in refused.value.detail
    started = dt.datetime.now(dt.UTC)
    with pytest.raises(TransientError, match="too long"):
        CONNECTOR.sample(shop, schema="public", table="slow", **options)
    assert (dt.datetime.now(dt.UTC) - started).total_seconds() < 5


def test_drivers_get_the_judged_address_and_the_same_session(reader: Target) -> None:
    text = CONNECTOR.conninfo(reader, application_name="mine")
    values = conninfo_to_dict(text)
    assert values["hostaddr"] == "127.0.0.1"
    assert values["application_name"] == "mine"
    shown = "SELECT current_setting('timezone'), current_setting('datestyle')"
    with psycopg.connect(text) as con:
        assert con.execute(shown).fetchone() == ("UTC", "ISO, YMD")
        interval = con.execute("SHOW client_connection_check_interval").fetchone()
        assert interval == ("1s",)
    with connect_duckdb() as duck:
        load_extension(duck, "postgres")
        source = quote_text(CONNECTOR.libpq_string(reader))
        duck.execute(f"ATTACH {source} AS pg (TYPE postgres, READ_ONLY)")
        assert duck.execute("SELECT count(*) FROM pg.public.a").fetchone() == (0,)
    assert CONNECTOR.driver_environment(reader)["PGHOSTADDR"] == "127.0.0.1"
    profile = CONNECTOR.dbt_profile(reader, schema="marts", threads=2)
    assert profile["password"] == "pa'ss \\w"
    assert "pa'ss" not in CONNECTOR.address(reader.config)


def test_public_only_egress_refuses_the_private_server(shop: Target) -> None:
    closed = Target("postgres", shop.config, shop.secrets, shop.files_root, egress="public-only")
    assert "private address" in stages(closed)[-1].text
    for dial in (CONNECTOR.conninfo, CONNECTOR.libpq_string, CONNECTOR.driver_environment):
        with pytest.raises(UserError, match="private address"):
            dial(closed)


def test_many_tables_stay_quick(shop: Target, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as con:
        # Fewer than that, to keep the suite short: one statement's locks are bounded.
        for part in range(4):
            con.execute(
                f"""DO $$ BEGIN FOR i IN {part * 500}..{part * 500 + 499} LOOP
                EXECUTE 'CREATE TABLE public.t' || i || ' ()'; END LOOP; END $$"""
            )
    started = dt.datetime.now(dt.UTC)
    page = CONNECTOR.discover(shop, search="t19", schema="", after="", limit=50)
    assert len(page.tables) == 50
    assert (dt.datetime.now(dt.UTC) - started).total_seconds() < 2
