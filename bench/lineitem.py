"""The table of the benchmarks: 16 columns like TPC-H's lineitem, made by DuckDB, kept below build/bench-data.

Some values are NULL, the comments hold quotes, commas and letters beyond ASCII. The same number of
rows is the same table everywhere.
"""

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench import duck
from bench.report import BUILD

# ruff: noqa: S608 - every name in these statements is one of this file's own

#: Raised when the generator below changes, so that nothing old is measured.
_EDITION = 1
TABLE = "lineitem"
#: A year of changes, spread evenly over the rows in the order of their key.
_YEAR_MICROSECONDS = 365 * 24 * 3600 * 1_000_000

#: Column and type, in words that PostgreSQL, MariaDB and SQLite share; ``{moment}`` differs.
COLUMNS = (
    ("l_id", "bigint"),
    ("l_orderkey", "bigint"),
    ("l_partkey", "integer"),
    ("l_suppkey", "integer"),
    ("l_linenumber", "integer"),
    ("l_quantity", "decimal(12,2)"),
    ("l_extendedprice", "decimal(15,2)"),
    ("l_discount", "decimal(15,2)"),
    ("l_returnflag", "varchar(1)"),
    ("l_shipdate", "date"),
    ("l_commitdate", "date"),
    ("l_shipmode", "varchar(10)"),
    ("l_shipinstruct", "varchar(25)"),
    ("l_comment", "varchar(60)"),
    ("created_at", "{moment}"),
    ("updated_at", "{moment}"),
)
_MAY_BE_NULL = {"l_discount", "l_commitdate", "l_comment"}

_MODES = "['AIR', 'FOB', 'MAIL', 'RAIL', 'REG AIR', 'SHIP', 'TRUCK']"
_INSTRUCTIONS = "['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN']"
_ADVERBS = "['furiously', 'slyly', 'carefully', 'blithely', 'quickly']"
_NOUNS = "['deposits', 'pinto beans', 'accounts', 'ideas', 'packages']"

_GENERATE = f"""
CREATE TABLE {TABLE} AS
WITH seeds AS (
    SELECT range AS n, hash(range) AS a, hash(range + 1_000_000_007) AS b FROM range({{rows}})
)
SELECT (n + 1)::BIGINT AS l_id,
       (n // 4 + 1)::BIGINT AS l_orderkey,
       (a % 200_000 + 1)::INTEGER AS l_partkey,
       (a // 7 % 10_000 + 1)::INTEGER AS l_suppkey,
       (n % 4 + 1)::INTEGER AS l_linenumber,
       (b % 5_000 / 100 + 1)::DECIMAL(12, 2) AS l_quantity,
       (b // 3 % 10_000_000 / 100 + 900)::DECIMAL(15, 2) AS l_extendedprice,
       CASE WHEN a % 20 > 0 THEN (a // 11 % 11 / 100)::DECIMAL(15, 2) END AS l_discount,
       substr('ANR', (a // 13 % 3 + 1)::INTEGER, 1) AS l_returnflag,
       DATE '1992-01-02' + (b // 5 % 2_500)::INTEGER AS l_shipdate,
       CASE WHEN b % 10 > 0 THEN DATE '1992-02-01' + (b // 17 % 2_500)::INTEGER END AS l_commitdate,
       ({_MODES})[(a // 19 % 7 + 1)::INTEGER] AS l_shipmode,
       ({_INSTRUCTIONS})[(b // 23 % 4 + 1)::INTEGER] AS l_shipinstruct,
       CASE WHEN a % 10 <> 3 THEN
           'für "' || ({_ADVERBS})[(a // 29 % 5 + 1)::INTEGER] || '", '
           || ({_NOUNS})[(b // 31 % 5 + 1)::INTEGER] || ' ' || (a % 1_000_003)::VARCHAR
       END AS l_comment,
       TIMESTAMPTZ '2020-01-01 00:00:00+00'
           + to_microseconds((b % 126_230_400_000_000)::BIGINT) AS created_at,
       TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_microseconds(n * {{step}}) AS updated_at
FROM seeds
"""

#: Understood by PostgreSQL and DuckDB alike; whole numbers, so that no addition rounds.
_FINGERPRINT = """
SELECT count(*), count(l_discount), count(l_commitdate), count(l_comment),
       sum(l_id), sum(l_orderkey), sum(l_partkey), sum(l_suppkey), sum(l_linenumber),
       sum(cast(round(l_quantity * 100) AS bigint)),
       sum(cast(round(l_extendedprice * 100) AS bigint)),
       sum(cast(round(l_discount * 100) AS bigint)),
       sum(length(l_returnflag)), sum(length(l_shipmode)), sum(length(l_shipinstruct)),
       sum(length(l_comment)), count(DISTINCT l_id),
       sum(cast(l_shipdate AS date) - DATE '1992-01-01'),
       sum(cast(l_commitdate AS date) - DATE '1992-01-01'),
       sum(cast(floor(extract(epoch FROM cast(created_at AS timestamp))) AS bigint)),
       sum(cast(floor(extract(epoch FROM cast(updated_at AS timestamp))) AS bigint))
FROM {relation}
"""

#: Rows, NULLs, sums and text lengths of a table.
Fingerprint = tuple[int, ...]


@dataclass(frozen=True)
class Lineitem:
    """The cached files of one number of rows."""

    rows: int

    @property
    def folder(self) -> Path:
        return BUILD / "bench-data" / f"{TABLE}-{_EDITION}-{self.rows}"

    def file(self, suffix: str) -> Path:
        """``parquet`` or ``csv``; made at the first need."""
        if not self.folder.is_dir():
            _generate(self)
        return self.folder / f"{TABLE}.{suffix}"

    @property
    def fingerprint(self) -> Fingerprint:
        """What every copy of the table must answer."""
        return _fingerprint_of(self.file("parquet"))


def fingerprint_sql(relation: str) -> str:
    return _FINGERPRINT.format(relation=relation)


def as_fingerprint(row: tuple[Any, ...] | None) -> Fingerprint:
    return tuple(int(value or 0) for value in row or ())


def create_table_sql(name: str, *, moment: str = "timestamptz", strict: bool = False) -> str:
    """``strict`` adds the key and NOT NULL, as a real source has them."""
    columns = []
    for column, kind in COLUMNS:
        rule = " NOT NULL" if strict and column not in _MAY_BE_NULL else ""
        columns.append(f"{column} {kind.format(moment=moment)}{rule}")
    key = ", PRIMARY KEY (l_id)" if strict else ""
    return f"CREATE TABLE {name} ({', '.join(columns)}{key})"


def rows_text(rows: int) -> str:
    """``1M``, ``250k``, ``10``."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if rows >= size:
            return f"{rows / size:g}{letter}"
    return str(rows)


def _generate(data: Lineitem) -> None:
    # Renamed when it is whole: a generator that was interrupted leaves no half table behind.
    unfinished = data.folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with duck.connect() as connection:
        step = _YEAR_MICROSECONDS // data.rows
        connection.execute(_GENERATE.format(rows=data.rows, step=step))
        for suffix, options in (("parquet", "FORMAT parquet"), ("csv", "FORMAT csv, HEADER true")):
            connection.execute(f"COPY {TABLE} TO '{unfinished}/{TABLE}.{suffix}' ({options})")
    unfinished.rename(data.folder)


@lru_cache(maxsize=8)
def _fingerprint_of(parquet: Path) -> Fingerprint:
    with duck.connect() as connection:
        query = fingerprint_sql(f"read_parquet('{parquet}')")
        return as_fingerprint(connection.execute(query).fetchone())
