"""What is loaded under chaos: a small shop in PostgreSQL, SQLite and CSV, slow where something has to hit it midway."""

import csv
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import psycopg

ROWS = 2_000
COLUMNS = ("id", "pad", "moved")
Row = tuple[int, str, int]
SHOP, WAREHOUSE = "shop", "warehouse"
#: Seconds for each row of a slow load: two to three seconds for all.
PACE = 0.001
SQLITE_FILE, CSV_FILE = "shop.sqlite", "orders.csv"

#: Slugs of pipelines by their kind. All append everything they read, so that a load too many is seen.
SLOW = tuple(f"server-{number}" for number in range(1, 5))
QUICK = ("lite-1", "lite-2", "files-1", "files-2")
#: Merges by key behind a cursor: whatever happens, it ends as the source is.
MERGE = "merged"
EXACT = (*SLOW, *QUICK, MERGE)
#: Never end by themselves; for cancels, and their rows never arrive.
ENDLESS = tuple(f"endless-{number}" for number in range(1, 5))
#: Loads through the steps of the second organization, which has a queue of its own.
OTHER = "server-1"
TOTALS, ENDLESS_BUILD = "totals", "endless_totals"


def rows() -> list[Row]:
    return [(number, f"order {number} " + "x" * 60, number % 7) for number in range(1, ROWS + 1)]


def fill(url: str) -> None:
    """The source in PostgreSQL; ``pace`` holds how slow it is."""
    with psycopg.connect(url, autocommit=True) as shop:
        shop.execute("CREATE TABLE orders (id int PRIMARY KEY, pad text, moved int)")
        with shop.cursor().copy("COPY orders FROM STDIN") as copy:
            for row in rows():
                copy.write_row(row)
        shop.execute(f"CREATE TABLE pace AS SELECT {PACE}::float8 AS seconds")
        shop.execute(
            "CREATE VIEW slow AS SELECT * FROM orders"
            " WHERE pg_sleep((SELECT seconds FROM pace))::text = ''"
        )
        shop.execute("CREATE VIEW endless AS SELECT * FROM orders WHERE pg_sleep(1)::text = ''")


def set_pace(url: str, seconds: float = PACE) -> None:
    with psycopg.connect(url, autocommit=True) as shop:
        shop.execute("UPDATE pace SET seconds = %s", [seconds])


def put_files(folder: Path) -> None:
    """The same orders as files; every machine that may load them needs its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / SQLITE_FILE)) as lite:
        lite.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, pad TEXT, moved INTEGER)")
        lite.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows())
        lite.commit()
    with (folder / CSV_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows())


def dataset(slug: str) -> str:
    return "raw_" + slug.replace("-", "_")


def difference(url: str, slug: str, loads: int) -> str:
    """What a table has too few or too many after so many loads; empty where it is exact."""
    expected: Counter[Row] = Counter()
    for row in rows() if loads else ():
        expected[row] = 1 if slug == MERGE else loads
    found = read(url, slug)
    if found == expected:
        return ""
    lost, extra = expected - found, found - expected
    return (
        f"{slug}: {found.total():,} rows instead of {expected.total():,} after {loads} loads:"
        f" {lost.total():,} lost, {extra.total():,} too many"
    )


def read(url: str, slug: str) -> Counter[Row]:
    table = f"{dataset(slug)}.orders"
    with psycopg.connect(url) as warehouse:
        if warehouse.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
            return Counter()
        names = ", ".join(COLUMNS)
        return Counter(warehouse.execute(f"SELECT {names} FROM {table}").fetchall())


def strays(url: str) -> set[str]:
    """Tables of the warehouse that no finished load leaves: staging, half swapped, temporary."""
    query = (
        "SELECT schemaname || '.' || tablename FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    with psycopg.connect(url) as warehouse:
        found = {name for (name,) in warehouse.execute(query).fetchall()}
    known = {f"{dataset(slug)}.orders" for slug in (*EXACT, *ENDLESS, f"beta_{OTHER}")}
    built = {name for name in found if name.startswith("analytics.")}
    return {
        name for name in found - known - built if not name.split(".")[1].startswith("_dlt_")
    } | {name for name in built if name != f"analytics.{TOTALS}"}
