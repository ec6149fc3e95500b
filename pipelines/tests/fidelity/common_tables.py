"""Unusual tables every SQL source can have: names, widths and emptiness."""

from collections.abc import Iterator

from pipelines.tests.fidelity.catalogue import Special

#: Words of the grammar of every system here, and names that need quotes.
NAMES = (
    "select", "from", "where", "group", "order", "table", "user", "default", "values", "MixedCase", "with space",
    "a.b", "100%", "a:b", "semi;colon", "größe", "列", "имя", "q'uote", "-dash", "1st", "$dollar", "{brace}", "new",
)  # fmt: skip


def tables(quote: str, text: str = "text") -> Iterator[Special]:
    """The tables for a source that quotes names with ``quote`` and calls its text type ``text``."""

    def named(name: str) -> str:
        return f"{quote}{name}{quote}"

    def made(
        name: str, names: list[str], rows: int, kind: str = "integer"
    ) -> tuple[str, tuple[str, ...]]:
        place = "{schema}." + named(name.replace("{", "{{").replace("}", "}}"))
        columns = ", ".join(
            f"{named(column.replace('{', '{{').replace('}', '}}'))} {kind}" for column in names
        )
        create = f"CREATE TABLE {place} (id integer, {columns})"
        values = ", ".join(
            f"({', '.join(str(row * 1000 + column) for column in range(len(names) + 1))})"
            for row in range(rows)
        )
        return name, (create, f"INSERT INTO {place} VALUES {values}") if rows else (create,)

    yield Special(*made("names", list(NAMES), 2), rows=2)
    yield Special(*made("wide_300", [f"c{number:03}" for number in range(299)], 3), rows=3)
    yield Special(*made("no_rows", ["a", "b"], 0), rows=0)
    for name in ("select", "Mixed Case Table", "größe_列", "dash-ed", "100%"):
        yield Special(*made(name, ["a"], 1), rows=1)
    place = "{schema}." + named("one_column")
    yield Special(
        "one_column",
        (f"CREATE TABLE {place} (id integer)", f"INSERT INTO {place} VALUES (1), (2)"),
        2,
    )
    place = "{schema}." + named("only_nulls")
    yield Special(
        "only_nulls",
        (
            f"CREATE TABLE {place} (id integer, a integer, t {text})",
            f"INSERT INTO {place} VALUES (1, NULL, NULL), (2, NULL, NULL)",
        ),
        2,
    )
