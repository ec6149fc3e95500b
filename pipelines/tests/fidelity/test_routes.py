"""Every type over every route: each value arrives as it was, or the report names the column and the count."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.tests.fidelity.catalogue import REJECTED, Catalogue, Col, Special
from pipelines.tests.fidelity.common_tables import tables
from pipelines.tests.fidelity.compare import OWN, accounts, differences
from pipelines.tests.fidelity.duckdb_types import DUCKDB
from pipelines.tests.fidelity.ends import End, Grid
from pipelines.tests.fidelity.mysql_types import MYSQL
from pipelines.tests.fidelity.postgres_types import POSTGRES
from pipelines.tests.fidelity.routes import Route, destinations, sources
from pipelines.tests.fidelity.sqlite_types import SQLITE
from pipelines.tests.fidelity.support import Ended, Pipeline, resource

CATALOGUES = {"postgres": POSTGRES, "mysql": MYSQL, "duckdb": DUCKDB, "sqlite": SQLITE}
PROBLEMS_SHOWN = 60


def _specials(catalogue: Catalogue) -> list[Special]:
    return [*catalogue.specials, *tables(catalogue.quote)]


def _tables_of(catalogue: Catalogue, destination: str) -> dict[str, list[Col]]:
    """One wide table, and one for each column whose rows are refused: they would take the others along."""
    narrow = [column for column in catalogue.columns if column.at(destination) == REJECTED]
    wide = [column for column in catalogue.columns if column not in narrow]
    return {"all_types": wide, **{f"only_{column.name}": [column] for column in narrow}}


@pytest.mark.parametrize("destination", destinations())
@pytest.mark.parametrize("source", [key for key in sources() if key in CATALOGUES])
def test_every_type_and_table(source: str, destination: str, tmp_path: Path, route: Route) -> None:
    catalogue = CATALOGUES[source]
    start, end = route(source, destination)
    typed = _tables_of(catalogue, destination)
    specials = _specials(catalogue)
    start.run(*catalogue.setup)
    for name, columns in typed.items():
        start.run(*catalogue.create(start.schema, name, columns))
    for special in specials:
        start.run(*(one.format(schema=catalogue.named(start.schema)) for one in special.statements))
    pipeline = Pipeline(
        tmp_path,
        start.endpoint(),
        end.endpoint(),
        dataset=end.dataset,
        source_schema=start.schema,
    )
    names = [*typed, *(special.name for special in specials)]
    ended = pipeline.load(*(resource(name, start.schema) for name in names))
    problems = list(_problems(ended, start, end, typed, specials))
    assert not problems, "\n".join(problems[:PROBLEMS_SHOWN])


def _problems(
    ended: Ended, start: End, end: End, typed: dict[str, list[Col]], specials: list[Special]
) -> Iterator[str]:
    if ended.error is not None:
        yield f"the load ended with {ended.error}"
    for name, columns in typed.items():
        yield from _table(ended, start, end, name, columns, "id")
    for special in specials:
        yield from _special(ended, start, end, special)
    wanted = {*typed, *(special.name for special in specials)}
    if extra := end.leftovers(wanted):
        yield f"left behind in the destination: {sorted(extra)}"


def _special(ended: Ended, start: End, end: End, special: Special) -> Iterator[str]:
    if special.name not in ended.results or ended.results[special.name]["status"] != "succeeded":
        yield f"{special.name} was not loaded: {ended.results.get(special.name)}"
        return
    before = start.read(start.schema, special.name, special.key)
    assert len(before.rows) == special.rows, special.name
    columns = [
        Col(name, kind, (), special.expect.get(name, {})) for name, kind in before.types.items()
    ]
    yield from _compared(ended, before, end, special.name, columns, special.key)


def _table(
    ended: Ended, start: End, end: End, name: str, columns: list[Col], key: str
) -> Iterator[str]:
    result = ended.results.get(name)
    if result is None or result["status"] != "succeeded":
        yield f"{name} was not loaded: {result and result['message']}"
        return
    yield from _compared(ended, start.read(start.schema, name, key), end, name, columns, key)


def _compared(
    ended: Ended, before: Grid, end: End, name: str, columns: list[Col], key: str
) -> Iterator[str]:
    result = ended.results[name]
    try:
        after = end.read(end.dataset, name, key)
    except Exception as error:  # noqa: BLE001 - whatever a driver says is what the test has to say
        yield f"{name} cannot be read in the destination: {type(error).__name__} {error}"
        return
    if not after.types.keys() >= OWN:
        yield f"{name} has no {', '.join(OWN - after.types.keys())}"
    yield from differences(before, after, columns, end.key, result)
    yield from accounts(result, before, after)
