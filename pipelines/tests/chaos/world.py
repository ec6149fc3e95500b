"""A source that changes between loads, and what a destination must hold after each of them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipelines.tests.fidelity.ends import End
from pipelines.tests.fidelity.support import resource

COLUMNS = ("id", "v", "moved")
#: Rows at the beginning by table: a long one, a short one, and one that stays empty.
TABLES = {"t": 30_000, "u": 500, "e": 0}
NEW, CHANGED = 1_500, 300
_PAD = "lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor"

Rows = Counter[tuple[Any, ...]]


@dataclass(frozen=True)
class Mode:
    """How the tables are written."""

    disposition: str
    strategy: str = ""
    cursor: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether another load, with another id, brings what a lost one did not, and nothing twice."""
        return self.cursor or self.disposition != "append"

    def __str__(self) -> str:
        words = [self.disposition, self.strategy, "cursor" if self.cursor else ""]
        return "-".join(word for word in words if word)


MODES = (
    Mode("append"),
    Mode("append", cursor=True),
    Mode("replace"),
    Mode("merge", "upsert", cursor=True),
    Mode("merge", "upsert"),
    Mode("merge", "delete_insert", cursor=True),
)


class World:
    """The source's tables, in step with what ``expected`` says of the destination."""

    def __init__(self, source: End, mode: Mode) -> None:
        self.source, self.mode = source, mode
        self.step = 0
        self.high = dict(TABLES)
        self.expected: dict[str, Rows] = {name: Counter() for name in TABLES}
        for name, rows in TABLES.items():
            source.run(
                f"CREATE TABLE {name} (id integer primary key, v varchar(200), moved integer)"
            )
            if rows:
                source.run(self._insert(name, 1, rows))

    def change(self) -> None:
        """New rows, and other values in some of the old ones."""
        self.step += 1
        for name, high in self.high.items():
            if not TABLES[name]:
                continue
            self.source.run(
                self._insert(name, high + 1, high + NEW),
                f"UPDATE {name} SET v = 'step {self.step} of ' || id, moved = {self.step}"
                f" WHERE id % {high // CHANGED + 1} = {self.step % (high // CHANGED + 1)}",
            )
            self.high[name] = high + NEW

    def new_destination(self) -> None:
        """Nothing has been loaded yet."""
        self.expected = {name: Counter() for name in TABLES}

    def loaded(self) -> dict[str, set[int]]:
        """A load came to its end: what the tables hold now, and how many rows it may say it brought, by table."""
        brought = {}
        for name, now in self.rows().items():
            before = self.expected[name]
            new = self._moved(now, 0) if self.mode.cursor and before else now
            brought[name] = {new.total()}
            if self.mode.disposition == "append":
                self.expected[name] = before + new
                continue
            self.expected[name] = now
            if self.mode.cursor and before:
                # A merge may read the last value of its cursor again: it doubles nothing.
                brought[name].add(self._moved(now, 1).total())
        return brought

    def rows(self) -> dict[str, Rows]:
        return {
            name: Counter(self.source.texts(self.source.schema, name, COLUMNS)) for name in TABLES
        }

    def resources(self) -> list[dict[str, Any]]:
        cursor = {"column": "moved", "initial": None, "lookback": "", "row_order": ""}
        settings: dict[str, Any] = {
            "write_disposition": self.mode.disposition,
            "merge_strategy": self.mode.strategy,
            "primary_key": ["id"] if self.mode.disposition == "merge" else [],
        }
        if self.mode.cursor:
            settings["cursor"] = cursor
        return [resource(name, self.source.schema, **settings) for name in TABLES]

    def _moved(self, rows: Rows, steps: int) -> Rows:
        """The rows that changed since the load before, or one step earlier."""
        low = self.step - steps
        return Counter({row: count for row, count in rows.items() if int(row[2]) >= low})

    def _insert(self, name: str, low: int, high: int) -> str:
        return (
            f"INSERT INTO {name} WITH RECURSIVE n(i) AS (SELECT {low} UNION ALL SELECT i + 1 FROM n WHERE i < {high})"
            f" SELECT i, '{_PAD} ' || i, {self.step} FROM n"
        )


def difference(expected: Rows, found: Rows) -> str:
    """What is lost and what is too many, in numbers and with an example; empty where nothing is."""
    lost, extra = expected - found, found - expected
    if not lost and not extra:
        return ""
    twice = sum(1 for row in extra if row in expected)
    example = next(iter(lost or extra))
    return (
        f"{found.total():,} rows instead of {expected.total():,}: {lost.total():,} lost, {extra.total():,} too many"
        f" ({twice:,} of them doubled), such as {example}"
    )
