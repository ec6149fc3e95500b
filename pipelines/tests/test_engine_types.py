"""The pure parts: type mappings, decisions about text and SQLite columns, errors, and the sum of the counts."""

import duckdb
import psycopg
import pytest

from pipelines.engine import types
from pipelines.engine.accounting import account
from pipelines.engine.errors import CountMismatch, near, translate
from pipelines.engine.model import Committed, TablePlan
from pipelines.engine.readers.sqlite_types import Stored, affinity, decide
from pipelines.engine.readers.text_types import Seen
from pipelines.engine.readers.text_types import decide as decide_text


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
        ("interval", "VARCHAR", True),
        ("shop.mood", "VARCHAR", True),
    ],
)
def test_postgres_to_duckdb(source: str, target: str, noted: bool) -> None:
    found = types.postgres_to_duckdb(source)
    assert (found.type, bool(found.note)) == (target, noted)


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
    assert types.postgres_to_postgres(source).type == target


@pytest.mark.parametrize(
    ("planned", "there", "fits"),
    [
        ("integer", "bigint", True),
        ("bigint", "integer", False),
        ("DECIMAL(10,2)", "DECIMAL(18,2)", True),
        ("DECIMAL(10,2)", "DECIMAL(10,4)", False),
        ("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", True),
        ("jsonb", "text", True),
        ("text", "integer", False),
        ("numeric(10,2)", "numeric", True),
    ],
)
def test_what_fits_into_what(planned: str, there: str, fits: bool) -> None:
    assert types.fits(planned, there) is fits


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
    plan = TablePlan("public.t", "t", "merge", "merge", (), "t")
    assert account(plan, 10, 7, Committed(6, 1))["rows_filtered"] == 3
    with pytest.raises(CountMismatch, match="do not agree"):
        account(plan, 10, 7, Committed(7, 1))


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
    assert near("updated", ["updated_at", "id"]) == "Did you mean updated_at?"
