"""What a catalogue of a source is made of: columns with the values to try, and tables that are unusual as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The destinations an expectation may name; one without an entry must be exact.
DESTINATIONS = ("postgres", "duckdb", "mysql", "sqlite", "parquet")
EXACT, REJECTED = "exact", "rejected"


@dataclass(frozen=True)
class Col:
    """A column of the type ``ddl`` with ``values`` as literals of the source.

    ``expect`` says by destination what arrives: "exact", "converted:<rule>" (the report names the column and counts
    its values, and each keeps the rule of that name) or "rejected" (every row with a value lies in the rejects).
    """

    name: str
    ddl: str
    values: tuple[str, ...]
    expect: Mapping[str, str] = field(default_factory=dict)

    def at(self, destination: str) -> str:
        return self.expect.get(destination, EXACT)


def col(name: str, ddl: str, *values: str, **expect: str) -> Col:
    """A column; ``others`` stands for every destination that is not named."""
    others = expect.pop("others", EXACT)
    unknown = set(expect) - set(DESTINATIONS)
    assert not unknown, f"{name}: {unknown}"
    found = {key: expect.get(key, others) for key in DESTINATIONS}
    return Col(name, ddl, values, {key: value for key, value in found.items() if value != EXACT})


def quoted(*texts: str) -> list[str]:
    """The texts as literals of standard SQL."""
    return ["'" + text.replace("'", "''") + "'" for text in texts]


@dataclass(frozen=True)
class Special:
    """A table that is unusual as a whole: ``rows`` rows have to arrive, told apart by ``key``.

    ``statements`` hold ``{schema}`` for the quoted schema of the source. Columns without an entry in ``expect``
    (column → destination → expectation) must be exact.
    """

    name: str
    statements: tuple[str, ...]
    rows: int
    key: str = "id"
    expect: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """Everything tried of one source."""

    columns: tuple[Col, ...]
    specials: tuple[Special, ...] = ()
    quote: str = '"'
    #: Run once before the tables are made.
    setup: tuple[str, ...] = ()

    def create(self, schema: str, table: str, columns: list[Col]) -> list[str]:
        """The statements that make a table of ``columns``, a row for each value and one of NULLs at the end."""
        height = max(len(column.values) for column in columns) + 1
        return [self._table(schema, table, columns), self._rows(schema, table, columns, height)]

    def named(self, name: str) -> str:
        return f"{self.quote}{name}{self.quote}"

    def _table(self, schema: str, table: str, columns: list[Col]) -> str:
        spelled = ", ".join(f"{self.named(column.name)} {column.ddl}" for column in columns)
        return f"CREATE TABLE {self.named(schema)}.{self.named(table)} (id integer, {spelled})"

    def _rows(self, schema: str, table: str, columns: list[Col], height: int) -> str:
        rows = ", ".join(
            f"({', '.join([str(number + 1), *(_value(column, number) for column in columns)])})"
            for number in range(height)
        )
        return f"INSERT INTO {self.named(schema)}.{self.named(table)} VALUES {rows}"


def _value(column: Col, number: int) -> str:
    return column.values[number] if number < len(column.values) else "NULL"
