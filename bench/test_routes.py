"""Big tables, warm worker: each route against the fastest plain way there is, and other tools on one of them."""

import os
import statistics
from collections.abc import Callable

import pytest

from bench import competitors, destinations, sizes, sources
from bench.destinations import Destination
from bench.endpoints import need
from bench.engine import Engine
from bench.lineitem import Lineitem, rows_text
from bench.report import BUILD, at_least, at_most, report, say, shown
from bench.rounds import Competitor, Standing, in_turn, print_table
from bench.sources import Source
from scripts.services import Server

pytestmark = pytest.mark.bench

PEAK_MB = 300
#: Memory that grows with the table grows more than a run differs from the next.
FLAT = 1.1


class Route:
    """One route at all sizes: the tables, the rows of the report, and a profile where a goal is missed."""

    def __init__(self, engine: Engine, surroundings: str, goal: float, *, bounded: bool) -> None:
        self.engine, self.surroundings, self.goal = engine, surroundings, goal
        self.bounded = bounded
        self.peaks: dict[int, float] = {}

    def measure(
        self,
        source: Source,
        destination: Destination,
        data: Lineitem,
        reference: Competitor,
        *others: Competitor | None,
    ) -> list[Standing]:
        """The reference, Datanika and the others in turn; their standings in that order."""
        engine = self.engine
        engine.servers = list({*source.servers, *destination.servers})
        ours = competitors.datanika(engine, source, destination, data)
        taking_part = [reference, ours, *(other for other in others if other is not None)]
        standings = in_turn(taking_part, sizes.ROUNDS)
        name = f"{source.label} → {destination.label}, {rows_text(data.rows)} rows"
        print_table(name, standings)
        self._report(name, standings, data.rows)
        if standings[1].ratio_to(standings[0]) > self.goal:
            self._explain(name, source, destination, standings)
        destination.empty()
        return standings

    def flatness(self, label: str) -> None:
        """Whether the memory stays the same for five times the rows."""
        if len(self.peaks) < 2:
            return
        (small, low), (big, high) = sorted(self.peaks.items())
        name = f"{label}, memory {rows_text(big)} / {rows_text(small)} rows"
        report("bench", at_most(name, high / low, "×", FLAT, f"{high:.0f} MB and {low:.0f} MB"))

    def _report(self, name: str, standings: list[Standing], rows: int) -> None:
        reference, ours = standings[:2]
        with_what = (
            f"{sizes.ROUNDS} rounds in turn, medians: Datanika {ours.seconds:.2f} s "
            f"(processor: ours {ours.median(lambda one: one.client_cpu):.2f} s, servers "
            f"{ours.median(lambda one: one.server_cpu):.2f} s), {reference.competitor.name} "
            f"({reference.competitor.version}) {reference.seconds:.2f} s; {self.surroundings}, "
            f"load {os.getloadavg()[0]:.1f}"
        )
        ratio = ours.ratio_to(reference)
        title = f"{name}, × {reference.competitor.name}"
        report("bench", at_most(title, ratio, "×", self.goal, with_what))
        peak = ours.peak_mb
        if not peak:
            return
        self.peaks[rows] = peak
        parent = statistics.median(one.parent_mb for one in ours.valid)
        memory = (
            f"PSS of the run's process tree, 12 looks a second, highest of {len(ours.valid)} runs;"
            f" the warm parent holds {parent:.0f} MB beside it; raw reference"
            f" {reference.peak_mb:.0f} MB"
        )
        title = f"{name}, peak memory"
        row = at_most(title, peak, "MB", PEAK_MB, memory)
        report("bench", row if self.bounded else shown(title, peak, "MB", memory))

    def _explain(
        self, name: str, source: Source, destination: Destination, standings: list[Standing]
    ) -> None:
        """The floor and the profile of a route that missed its goal."""
        ours = standings[1]
        floor = min(
            (one for one in standings if one is not ours and one.valid), key=lambda one: one.seconds
        )
        slug = "".join(part if part.isalnum() else "-" for part in name.lower().replace("→", "to"))
        path = BUILD / f"bench-profile-{slug}.txt"
        destination.empty()
        self.engine.forget()
        spec = self.engine.spec(source.endpoint, destination.endpoint, **source.spec())
        profile = self.engine.profile(spec)
        path.write_text(profile, encoding="utf-8")
        say(
            f"  The goal is missed. Floor: {floor.competitor.name} takes {floor.seconds:.2f} s, with "
            f"{floor.median(lambda one: one.client_cpu):.2f} s of the client's and "
            f"{floor.median(lambda one: one.server_cpu):.2f} s of the servers' processor time."
        )
        for measured in ours.valid:
            say(f"  Datanika: {measured.seconds:.2f} s, {measured.phases}")
        say(f"  The profile of one more run is in build/{path.name}; it begins:")
        lines = [line for line in profile.splitlines() if line.strip()]
        say("\n".join(f"    {line[:110]}" for line in lines[:14]))


def test_postgres_to_postgres(engine: Engine, postgres_server: Server, surroundings: str) -> None:
    route = Route(engine, surroundings, 1.2, bounded=True)
    for rows in sizes.SIZES:
        data = Lineitem(rows)
        source = sources.postgres(postgres_server, data)
        destination = destinations.postgres(postgres_server)
        small = rows == sizes.ROWS
        standings = route.measure(
            source,
            destination,
            data,
            competitors.psql_copy(postgres_server, destination, data),
            competitors.psql_copy(postgres_server, destination, data, "binary"),
            competitors.sling(postgres_server, destination, data),
            competitors.dlt_default(engine, postgres_server, destination, Lineitem(sizes.DLT_ROWS))
            if small
            else None,
        )
        report_peers(standings, rows)
    route.flatness("PostgreSQL → PostgreSQL")


def report_peers(standings: list[Standing], rows: int) -> None:
    goals = {"Sling": 3, "dlt, its defaults": 20}
    ours = standings[1]
    for standing in standings:
        peer = standing.competitor
        if peer.name not in goals:
            continue
        with_what = (
            f"{peer.name} {peer.version}, {rows_text(peer.rows)} rows in {standing.seconds:.2f} s, "
            f"compared row by row; {sizes.ROUNDS} rounds in turn; {standing.fault or 'result checked'}"
        )
        name = f"PostgreSQL → PostgreSQL, {rows_text(rows)} rows, times faster than {peer.name}"
        report("bench", at_least(name, standing.ratio_to(ours), "×", goals[peer.name], with_what))


def test_csv_to_postgres(engine: Engine, postgres_server: Server, surroundings: str) -> None:
    route = Route(engine, surroundings, 1.6, bounded=True)
    for rows in sizes.SIZES:
        data = Lineitem(rows)
        source = sources.file(engine, data, "csv")
        destination = destinations.postgres(postgres_server)
        raw = competitors.raw_duckdb(engine, source, destination, data)
        reference = competitors.psql_csv(postgres_server, destination, data)
        route.measure(source, destination, data, reference, raw)
    route.flatness("CSV → PostgreSQL")


Ends = Callable[[Engine, Server, pytest.FixtureRequest, Lineitem], tuple[Source, Destination]]


def parquet_to_postgres(
    engine: Engine, server: Server, _: pytest.FixtureRequest, data: Lineitem
) -> tuple[Source, Destination]:
    return sources.file(engine, data, "parquet"), destinations.postgres(server)


def postgres_to_duckdb(
    engine: Engine, server: Server, _: pytest.FixtureRequest, data: Lineitem
) -> tuple[Source, Destination]:
    return sources.postgres(server, data), destinations.duckdb_file(engine)


def postgres_to_parquet(
    engine: Engine, server: Server, _: pytest.FixtureRequest, data: Lineitem
) -> tuple[Source, Destination]:
    need("Parquet", ("parquet", "files"), destination=True)
    return sources.postgres(server, data), destinations.parquet(engine)


def mariadb_to_postgres(
    _: Engine, server: Server, request: pytest.FixtureRequest, data: Lineitem
) -> tuple[Source, Destination]:
    need("MariaDB", ("mariadb", "mysql"))
    other: Server = request.getfixturevalue("mariadb_server")
    return sources.mariadb(other, data), destinations.postgres(server)


def sqlite_to_duckdb(
    engine: Engine, _: Server, __: pytest.FixtureRequest, data: Lineitem
) -> tuple[Source, Destination]:
    return sources.sqlite(engine, data), destinations.duckdb_file(engine)


@pytest.mark.parametrize(
    ("ends", "goal", "bounded"),
    [
        (parquet_to_postgres, 1.6, True),
        (postgres_to_duckdb, 2.0, True),
        (postgres_to_parquet, 2.0, True),
        (mariadb_to_postgres, 2.0, True),
        (sqlite_to_duckdb, 2.0, False),
    ],
)
def test_route_against_raw_duckdb(
    ends: Ends,
    goal: float,
    bounded: bool,
    engine: Engine,
    postgres_server: Server,
    surroundings: str,
    request: pytest.FixtureRequest,
) -> None:
    route = Route(engine, surroundings, goal, bounded=bounded)
    label = ""
    for rows in sizes.SIZES:
        data = Lineitem(rows)
        source, destination = ends(engine, postgres_server, request, data)
        label = f"{source.label} → {destination.label}"
        reference = competitors.raw_duckdb(engine, source, destination, data)
        route.measure(source, destination, data, reference)
    if bounded:
        route.flatness(label)
