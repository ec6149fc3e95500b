"""The same number of changed rows in a small and in a big table: a merge costs what changed, not what is there."""

import os
import statistics
from dataclasses import dataclass, field
from functools import partial

import psycopg
import pytest

from bench import destinations, sizes, sources
from bench.destinations import Destination
from bench.endpoints import server_endpoint
from bench.engine import Engine
from bench.lineitem import (
    TABLE,
    Fingerprint,
    Lineitem,
    as_fingerprint,
    fingerprint_sql,
    rows_text,
)
from bench.measure import Measured
from bench.report import at_most, report, say, shown
from scripts.services import Server

pytestmark = pytest.mark.bench

#: Of the big table; of the small one, a tenth of its size, it is ten percent.
SHARE = 100
SMALLER = 10
MOST_TIMES_SLOWER = 1.5

# ruff: noqa: S608 - the names are this file's own


@dataclass
class Changing:
    """A source whose rows change, and a table of its own that follows it by merge."""

    engine: Engine
    server: Server
    rows: int
    merges: list[Measured] = field(default_factory=list)
    idle: list[Measured] = field(default_factory=list)
    loads: list[Measured] = field(default_factory=list)

    def __post_init__(self) -> None:
        filled = sources.fill_postgres(self.server, Lineitem(self.rows))
        self.source = f"changing_{self.rows}"
        self.target = f"following_{self.rows}"
        with psycopg.connect(self.server.url, autocommit=True) as admin:
            for database in (self.source, self.target):
                admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())
            admin.execute(f"CREATE DATABASE {self.source} TEMPLATE {filled}".encode())
            admin.execute(f"CREATE DATABASE {self.target}".encode())

    def load(self) -> Measured:
        """From the table or from its last change on, whatever the engine finds to be there."""
        spec = self.engine.spec(
            server_endpoint("postgres", self.server, self.source),
            server_endpoint("postgres", self.server, self.target),
            source_schema="public",
            # Each table has its pipeline, and so its own directory.
            pipeline={"id": self.rows, "slug": self.target, "name": self.target},
            work_dir=str(self.engine.packages / self.target),
            resources=[
                {
                    "schema": "public",
                    "name": TABLE,
                    "target": TABLE,
                    "selected": True,
                    "write_disposition": "merge",
                    "merge_strategy": "upsert",
                    "primary_key": ["l_id"],
                    "cursor": {
                        "column": "updated_at",
                        "initial": None,
                        "lookback": "",
                        "row_order": "",
                    },
                    "columns": None,
                    "column_settings": {},
                    "filters": [],
                }
            ],
        )
        measured = self.engine.load(spec).measured
        assert self._fingerprint(self.target, f"{destinations.DATASET}.{TABLE}") == (
            self._fingerprint(self.source, TABLE)
        ), "the merged table differs from its source"
        return measured

    def change(self, rows: int, number: int) -> None:
        """``rows`` rows spread over the table; others each time."""
        step = self.rows // rows
        with psycopg.connect(self.server.url_of(self.source), autocommit=True) as connection:
            changed = connection.execute(
                f"UPDATE {TABLE} SET l_quantity = l_quantity + 1, updated_at = timestamptz"
                f" '2030-01-01 00:00:00+00' + interval '{number} days' + l_id * interval '1 us'"
                f" WHERE l_id % {step} = {number % step}".encode()
            ).rowcount
            assert changed == rows
            connection.execute(f"ANALYZE {TABLE}".encode())
            connection.execute("CHECKPOINT")

    def full(self) -> Measured:
        """A load of the whole table, into a database that holds nothing."""
        destination: Destination = destinations.postgres(self.server)
        destination.empty()
        spec = self.engine.spec(
            server_endpoint("postgres", self.server, self.source),
            destination.endpoint,
            **_whole_table(),
        )
        measured = self.engine.load(
            spec | {"work_dir": str(self.engine.packages / "whole")}
        ).measured
        destination.empty()
        return measured

    def _fingerprint(self, database: str, relation: str) -> Fingerprint:
        with psycopg.connect(self.server.url_of(database)) as connection:
            connection.execute("SET timezone = 'UTC'")
            return as_fingerprint(connection.execute(fingerprint_sql(relation).encode()).fetchone())


def _whole_table() -> dict[str, object]:
    resource = {"schema": "public", "name": TABLE, "target": TABLE, "write_disposition": "replace"}
    return {"source_schema": "public", "resources": [resource]}


def test_a_merge_costs_what_changed(
    engine: Engine, postgres_server: Server, surroundings: str
) -> None:
    engine.forget()
    engine.servers = [postgres_server.pid]
    changed = sizes.ROWS // SHARE
    rounds = sizes.ROUNDS + 2
    make = partial(Changing, engine, postgres_server)
    small, big = make(sizes.ROWS // SMALLER), make(sizes.ROWS)
    for table in (small, big):
        table.load()
    for number in range(1, rounds + 1):
        for table in (small, big):
            table.change(changed, number)
            table.merges.append(table.load())
            table.idle.append(table.load())
        if number <= sizes.ROUNDS:
            big.loads.append(big.full())
    for table in (small, big):
        for measured in table.merges:
            say(f"  {rows_text(table.rows)}: {measured.seconds:.2f} s, {measured.phases}")
    _report(small, big, changed, surroundings)


def _report(small: Changing, big: Changing, changed: int, surroundings: str) -> None:
    ratio = statistics.median(
        one.seconds / other.seconds for one, other in zip(big.merges, small.merges, strict=True)
    )
    merged = _median(big.merges)
    with_what = (
        f"PostgreSQL → PostgreSQL, upsert by key with a cursor, medians of {len(big.merges)} in turn: "
        f"{_median(small.merges):.3f} s into {rows_text(small.rows)} rows, {merged:.3f} s into "
        f"{rows_text(big.rows)} rows; {surroundings}, load {os.getloadavg()[0]:.1f}"
    )
    what = f"merge of {rows_text(changed)} changed rows"
    times = f"{what}, table of {rows_text(big.rows)} / {rows_text(small.rows)} rows"
    report("bench", at_most(times, ratio, "×", MOST_TIMES_SLOWER, with_what))
    report("bench", shown(f"{what} into {rows_text(big.rows)}", merged, "s", with_what))
    whole = f"a load of all {rows_text(big.rows)} rows takes {_median(big.loads):.2f} s"
    share = 100 * merged / _median(big.loads)
    report("bench", shown(f"{what}, share of a full load", share, "%", whole))
    nothing = f"nothing changed, table of {rows_text(big.rows)} rows"
    report("bench", shown(f"merge, {nothing}", _median(big.idle), "s", with_what))


def _median(measured: list[Measured]) -> float:
    return statistics.median(one.seconds for one in measured)
