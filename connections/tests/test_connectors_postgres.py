"""PostgreSQL, with a real server."""

import contextlib
import datetime as dt
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from psycopg.conninfo import conninfo_to_dict

from common.errors import NotFound, TransientError, UserError
from connections.connectors import postgres, postgres_connection
from connections.connectors.base import Stage, StageStatus, Target
from connections.connectors.duckdb_support import connect_duckdb, load_extension
from connections.connectors.postgres import PostgresConnector
from connections.connectors.sql import quote_text
from scripts import services

CONNECTOR = PostgresConnector()


def target_of(url: str, tmp_path: Path, **changes: Any) -> Target:
    """The endpoint of a URL, with some of its settings changed; ``password`` is a secret."""
    given: dict[str, Any] = conninfo_to_dict(url)
    secret = changes.pop("password", given.get("password", ""))
    values = {
        "host": given["host"],
        "port": given["port"],
        "database": given["dbname"],
        "user": given["user"],
    }
    form = CONNECTOR.form_class(data=values | changes)
    assert form.is_valid(), form.errors
    config = {k: v for k, v in form.cleaned_data.items() if k != "password"}
    return Target("postgres", config, {"password": secret}, tmp_path, private_dir=tmp_path)


def stages(target: Target, role: str = "source") -> list[Stage]:
    return list(CONNECTOR.check(target, role))


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
    target = target_of(postgres_url, tmp_path, **changes)
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


class Gatekeeper(socketserver.BaseRequestHandler):
    """Passes everything on to the real server, except start-up parameters it does not know."""

    refused: ClassVar[bytes]
    message: ClassVar[bytes]
    behind: ClassVar[tuple[str, int]]

    def handle(self) -> None:
        hello = self.request.recv(65536)
        if hello[4:8] == b"\x04\xd2\x16\x2f":  # may we speak TLS?
            self.request.sendall(b"N")
            hello = self.request.recv(65536)
        if self.refused in hello:
            fields = b"SFATAL\0VFATAL\0C42704\0M" + self.message + b"\0\0"
            self.request.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)
            return
        with socket.create_connection(self.behind) as server:
            server.sendall(hello)
            upstream = threading.Thread(target=self._pass, args=(self.request, server))
            upstream.start()
            self._pass(server, self.request)
            upstream.join(5)

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("refused", "message", "kept"),
    [
        (
            b"client_connection_check_interval",
            b'unrecognized configuration parameter "client_connection_check_interval"',
            "-c timezone=UTC -c datestyle=ISO,YMD",
        ),
        (b"options\0", b"unsupported startup parameter: options", None),
    ],
)
def test_a_server_that_refuses_options_still_works(
    shop: Target, refused: bytes, message: bytes, kept: str | None
) -> None:
    behind = ("127.0.0.1", int(shop.config["port"]))
    names = {"refused": refused, "message": message, "behind": behind}
    with socketserver.ThreadingTCPServer(
        ("127.0.0.1", 0), type("Keeper", (Gatekeeper,), names)
    ) as keeper:
        thread = threading.Thread(target=keeper.serve_forever, daemon=True)
        thread.start()
        port = keeper.server_address[1]
        target = Target("postgres", shop.config | {"port": port}, shop.secrets, shop.files_root)
        assert conninfo_to_dict(CONNECTOR.conninfo(target)).get("options") == kept
        with closing(postgres_connection.connect(target)) as con:
            shown = con.execute("SELECT current_setting('timezone')").fetchone()
        assert shown == ("UTC",)
        assert stages(target)[-1].status is StageStatus.OK
        keeper.shutdown()
        thread.join(5)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server of its own that offers TLS: its URL, and the certificate of its authority."""
    state = tmp_path_factory.mktemp("tls-server")
    try:
        server = services.ensure("postgres", state)
    except services.ServiceUnavailable as error:
        pytest.skip(str(error))
    certificate, key = _self_signed("localhost")
    with psycopg.connect(server.url, autocommit=True) as con:
        row = con.execute("SHOW data_directory").fetchone()
        assert row is not None
        data = Path(row[0])
        for name, text in (("server.crt", certificate), ("server.key", key)):
            (data / name).write_text(text)
            (data / name).chmod(0o600)
            os.chown(data / name, data.stat().st_uid, data.stat().st_gid)
        con.execute("ALTER SYSTEM SET ssl = on")
        con.execute("SELECT pg_reload_conf()")
    yield server.url, certificate
    services.stop_all(state)


def _self_signed(host: str) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), plain.decode()


def test_tls_is_verified_as_asked(encrypted: tuple[str, str], tmp_path: Path) -> None:
    url, certificate = encrypted
    for mode in ("prefer", "require"):
        tls = stages(target_of(url, tmp_path, sslmode=mode))[2]
        assert tls.status is StageStatus.OK
        assert "TLSv1.3; certificate not verified" in tls.text
    verified = {"sslmode": "verify-full", "ca_certificate": certificate}
    good = target_of(url, tmp_path, host="localhost", **verified)
    result = stages(good, "destination")
    assert "certificate verified" in result[2].text
    assert result[-1].status is StageStatus.OK
    with psycopg.connect(CONNECTOR.conninfo(good)) as con:
        assert con.pgconn.ssl_in_use
    assert Path(CONNECTOR.dbt_profile(good, schema="x", threads=1)["sslrootcert"]).is_file()

    wrong_name = target_of(url, tmp_path, host="127.0.0.1", **verified)
    unknown = target_of(url, tmp_path, host="localhost", sslmode="verify-full")
    for target in (wrong_name, unknown):
        last = stages(target)[-1]
        assert (last.name, last.status) == ("tls", StageStatus.FAILED)
        assert "does not prove" in last.text
        with pytest.raises(UserError, match="certificate was not accepted"):
            CONNECTOR.conninfo(target)


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
