"""The pure parts: type mappings, decisions about text and SQLite columns, errors, and the sum of the counts."""

import duckdb
import psycopg
import pytest

from pipelines.engine.accounting import Outcome
from pipelines.engine.errors import CountMismatch, near, translate
from pipelines.engine.model import Committed, Resource, TablePlan
from pipelines.engine.readers.sqlite_types import Stored, affinity, decide
from pipelines.engine.readers.text_types import Seen
from pipelines.engine.readers.text_types import decide as decide_text
from pipelines.engine.types import from_postgres, hub, to_duckdb, to_postgres


@pytest.mark.parametrize(
    ("source", "target", "noted"),
    [
        ("numeric(12,2)", "DECIMAL(12,2)", False),
        ("numeric(38,10)", "DECIMAL(38,10)", False),
        ("numeric(39,2)", "VARCHAR", True),
        ("numeric(5,-2)", "VARCHAR", True),
        ("numeric", "VARCHAR", True),
        ("character varying(10)", "VARCHAR", False),
        ("character varying(10)[]", "JSON", True),
        ("timestamp(3) without time zone", "TIMESTAMP", False),
        ("timestamp with time zone", "TIMESTAMPTZ", False),
        ("time with time zone", "VARCHAR", True),
        ("interval", "INTERVAL", False),
        ("shop.mood", "VARCHAR", True),
    ],
)
def test_postgres_to_duckdb(source: str, target: str, noted: bool) -> None:
    found = from_postgres.to_hub(source)
    landed = to_duckdb.land(found.type)
    assert (landed.type, bool(found.note or landed.note)) == (target, noted)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("integer[]", "integer[]"),
        ("numeric", "numeric"),
        ("shop.mood", "text"),
        ("money", "numeric"),
    ],
)
def test_postgres_to_postgres(source: str, target: str) -> None:
    assert to_postgres.same_type(source)[0] == target


@pytest.mark.parametrize(
    ("planned", "there", "fits", "wider"),
    [
        ("INTEGER", "BIGINT", True, "BIGINT"),
        ("BIGINT", "INTEGER", False, "BIGINT"),
        ("DECIMAL(10,2)", "DECIMAL(18,2)", True, "DECIMAL(18,2)"),
        ("DECIMAL(10,2)", "DECIMAL(10,4)", False, "DECIMAL(12,4)"),
        ("DECIMAL(38,0)", "DECIMAL(38,10)", False, "NUMERIC"),
        ("BIGINT", "DOUBLE", False, "NUMERIC"),
        ("INTEGER", "DOUBLE", True, "DOUBLE"),
        ("UBIGINT", "BIGINT", False, "HUGEINT"),
        ("DATE", "TIMESTAMP", True, "TIMESTAMP"),
        ("JSON", "VARCHAR", True, "VARCHAR"),
        ("VARCHAR", "INTEGER", False, "VARCHAR"),
        ("TIMESTAMP", "TIMESTAMPTZ", False, "VARCHAR"),
        ("DECIMAL(10,2)", "NUMERIC", True, "NUMERIC"),
    ],
)
def test_what_fits_into_what(planned: str, there: str, fits: bool, wider: str) -> None:
    assert hub.fits(planned, there) is fits
    assert hub.wider(planned, there) == wider
    assert hub.fits(there, wider)


def test_a_rounding_column_takes_only_its_own_kind() -> None:
    assert to_postgres.hub_of("timestamp(3) without time zone") == ""
    assert to_postgres.hub_of("character varying(5)") == ""
    assert to_postgres.is_binary("timestamp(3) without time zone")


@pytest.mark.parametrize(
    ("declared", "stored", "kind"),
    [
        ("INTEGER", None, "BIGINT"),
        ("INTEGER", Stored(integers=3, texts=1), "VARCHAR"),
        ("DECIMAL(10,2)", Stored(integers=1, reals=2), "DECIMAL(10,2)"),
        ("DECIMAL(10,2)", Stored(reals=2, misfits=1), "DOUBLE"),
        ("DECIMAL(20,2)", Stored(integers=2, reals=1, huge=1), "VARCHAR"),
        ("NUMERIC", Stored(), "DOUBLE"),
        ("BOOLEAN", Stored(integers=2, misfits=1), "BIGINT"),
        ("DATETIME", Stored(texts=2), "TIMESTAMP"),
        ("DATETIME", Stored(integers=2, misfits=2), "BIGINT"),
        ("", Stored(texts=1), "VARCHAR"),
        ("BLOB", Stored(blobs=1), "BLOB"),
    ],
)
def test_sqlite_columns(declared: str, stored: Stored | None, kind: str) -> None:
    assert decide(declared, stored).type == kind


def test_sqlite_affinity() -> None:
    kinds = ["CHARINT", "varchar(5)", "", "FLOATING", "DATE", "BLOB"]
    assert [affinity(kind) for kind in kinds] == [
        "integer",
        "text",
        "none",
        "real",
        "numeric",
        "none",
    ]


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (Seen(), "VARCHAR"),
        (Seen(values=2, integers=2, decimals=2, whole_digits=3), "BIGINT"),
        (
            Seen(values=2, integers=1, decimals=2, whole_digits=3, fraction_digits=2),
            "DECIMAL(18,2)",
        ),
        (Seen(values=2, decimals=2, whole_digits=30, fraction_digits=9), "VARCHAR"),
        (Seen(values=2, dates=1, stamps=1), "TIMESTAMP"),
        (Seen(values=2, integers=1), "VARCHAR"),
    ],
)
def test_text_columns(seen: Seen, kind: str) -> None:
    assert decide_text(seen) == kind


def test_counts_must_agree() -> None:
    plan = TablePlan("public.t", "t", "t", "merge", "merge", (), "t")
    resource = Resource("public", "t", "t", "merge")
    agreed = Committed(6, 1, rows_read=10, rows_filtered=2, rows_rejected=1)
    Outcome(plan, resource, agreed, "").check()
    with pytest.raises(CountMismatch, match="do not agree"):
        Outcome(plan, resource, Committed(7, 1, 10, 2, 1), "").check()


def test_errors_are_classed_by_code_not_text() -> None:
    lost = translate(psycopg.errors.lookup("57P01")("terminating connection"), "Reading t")
    missing = translate(psycopg.errors.lookup("42P01")("no such table"), "Reading t")
    full = translate(OSError(28, "No space left on device"), "Reading t")
    locked = translate(duckdb.IOException("IO Error: Could not set lock on file"), "Opening w")
    assert [error.transient for error in (lost, missing, full, locked)] == [
        True,
        False,
        False,
        True,
    ]
    assert full.code == "disk_full"


def test_a_server_that_dies_in_mid_query_is_worth_another_attempt() -> None:
    """libpq's own words come without a SQLSTATE, as the bare DatabaseError where a result carried them."""
    for kind in (psycopg.DatabaseError, psycopg.OperationalError):
        error = translate(kind("server closed the connection unexpectedly"), "Loading t")
        assert error.transient
        assert str(error).startswith("Loading t lost its connection to the server.")
    assert not translate(psycopg.ProgrammingError("cannot adapt type"), "Loading t").transient


def test_the_nearest_name_is_suggested() -> None:
    assert near("updated", ["updated_at", "id"]) == "Did you mean updated_at?"
