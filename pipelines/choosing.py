"""Which tables of a large database are chosen: ticked ones and patterns, kept while somebody pages and searches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.utils.formats import number_format
from django.utils.functional import cached_property

from connections import runner
from connections.models import Connection
from pipelines.patterns import containing, matcher, name_of, pattern_of

TABLES_A_PAGE = 50
#: More names than this are a pattern: it stays readable, and takes new tables too.
MOST_TICKED = 1000
_NAMED = 12
_CACHE_SECONDS = 600


@dataclass
class Picking:
    """What is chosen of one schema so far; names are exact, the rest are patterns."""

    names: list[str] = field(default_factory=list)
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Picking":
        return cls(*(list(data.get(key, [])) for key in ("names", "include", "exclude")))

    @classmethod
    def of_patterns(cls, include: Sequence[str], exclude: Sequence[str]) -> "Picking":
        """A definition's lists, taken apart."""
        names = [name for one in include if (name := name_of(one)) is not None]
        return cls(names, [one for one in include if name_of(one) is None], list(exclude))

    def as_data(self) -> dict[str, list[str]]:
        return {"names": self.names, "include": self.include, "exclude": self.exclude}

    @property
    def is_empty(self) -> bool:
        return not (self.names or self.include or self.exclude)

    def as_include(self) -> list[str]:
        return [*(pattern_of(name) for name in self.names), *self.include]

    def tick(self, shown: Sequence[str], ticked: Sequence[str]) -> None:
        """The boxes of the page that was looked at; other pages' stay."""
        seen, wanted = set(shown), set(ticked)
        kept = [name for name in self.names if name not in seen]
        self.names = sorted({*kept, *(name for name in shown if name in wanted)})

    def take_matching(self, search: str, names: Sequence[str]) -> None:
        if len(names) > MOST_TICKED:
            self.include = list(dict.fromkeys([*self.include, containing(search, names)]))
        else:
            self.names = sorted({*self.names, *names})

    def clear_matching(self, names: Sequence[str]) -> None:
        gone = set(names)
        self.names = [name for name in self.names if name not in gone]


@dataclass(frozen=True)
class TableRow:
    name: str
    kind: str
    rows: int | None
    is_ticked: bool
    #: Taken by a pattern, ticked or not; a table that is left out by one is not loaded in any case.
    by_pattern: bool
    is_excluded: bool


@dataclass
class Chooser:
    """A page of a schema's tables with what is chosen of all of them."""

    tables: list[list[Any]]
    picking: Picking
    search: str = ""
    page: int = 1
    is_cut: bool = False

    @cached_property
    def matching(self) -> list[list[Any]]:
        wanted = self.search.casefold()
        return [one for one in self.tables if wanted in one[0].casefold()]

    @property
    def matching_names(self) -> list[str]:
        return [one[0] for one in self.matching]

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.matching) // TABLES_A_PAGE))

    @property
    def number(self) -> int:
        """The page shown; one asked for beyond the end is the last."""
        return max(1, min(self.page, self.pages))

    @property
    def first(self) -> int:
        return (self.number - 1) * TABLES_A_PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1

    @cached_property
    def rows(self) -> list[TableRow]:
        begin = (self.number - 1) * TABLES_A_PAGE
        included, excluded = matcher(self.picking.include), matcher(self.picking.exclude)
        ticked = set(self.picking.names)
        return [
            TableRow(name, kind, rows, name in ticked, included(name), excluded(name))
            for name, kind, rows in self.matching[begin : begin + TABLES_A_PAGE]
        ]

    @cached_property
    def taken(self) -> list[str]:
        """The tables a run would load now; with nothing but exclusions all others."""
        if self.picking.is_empty:
            return []
        included = matcher(self.picking.as_include() or ["*"])
        excluded = matcher(self.picking.exclude)
        return [one[0] for one in self.tables if included(one[0]) and not excluded(one[0])]

    @property
    def named(self) -> list[str]:
        return self.taken[:_NAMED]

    @property
    def is_many(self) -> bool:
        """Whether all that were found become a pattern and not ticks."""
        return len(self.matching) > MOST_TICKED

    @property
    def matching_words(self) -> str:
        return _grouped(len(self.matching))

    @property
    def taken_words(self) -> str:
        return _grouped(len(self.taken))

    @property
    def total_words(self) -> str:
        return _grouped(len(self.tables))

    @property
    def unnamed_words(self) -> str:
        """How many more there are; empty for none."""
        more = len(self.taken) - len(self.named)
        return _grouped(more) if more else ""

    @property
    def missing(self) -> list[str]:
        """Ticked once, but the source has them no more."""
        there = {one[0] for one in self.tables}
        return [name for name in self.picking.names if name not in there]


def _grouped(number: int) -> str:
    return number_format(number, force_grouping=True)


def tables_of_schema(
    source: Connection, schema: str, *, refresh: bool = False
) -> tuple[list[list[Any]], bool]:
    """Every table of the schema, and whether there are more still; remembered for ten minutes."""
    key = f"tables:{source.pk}:{source.updated_at.timestamp()}:{pattern_key(schema)}"
    found = None if refresh else cache.get(key)
    if found is None:
        found = runner.list_tables(source, schema=schema)
        cache.set(key, found, _CACHE_SECONDS)
    tables, is_cut = found
    return tables, is_cut


def pattern_key(schema: str) -> str:
    """A schema's name as part of a cache key, which takes no blanks."""
    return schema.encode().hex()


def schemas_of(source: Connection, *, refresh: bool = False) -> list[str]:
    """The schemas of a source, remembered as its tables are."""
    key = f"schemas:{source.pk}:{source.updated_at.timestamp()}"
    found = None if refresh else cache.get(key)
    if found is None:
        found = list(runner.discover(source, limit=1)["schemas"])
        cache.set(key, found, _CACHE_SECONDS)
    return list(found)
