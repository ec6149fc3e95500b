"""The base of the file types: a path or pattern below the files directory, read by DuckDB. Child
side.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from common.errors import TransientError, UserError
from connections import policy
from connections.connectors.base import (
    Capabilities,
    CatalogPage,
    Category,
    Column,
    Connector,
    Sample,
    Stage,
    Table,
    Target,
)
from connections.connectors.catalog import select_page
from connections.connectors.checks import Outcome, counted, run_steps
from connections.connectors.duckdb import sample_relation
from connections.connectors.duckdb_support import (
    STATEMENT_SECONDS,
    connect_duckdb,
    explain_duckdb,
    lockdown,
    time_limit,
)
from connections.connectors.local_files import readable_size
from connections.connectors.sql import quote_text

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_READ_SECONDS = 20.0


class FilesConnector(Connector):
    """Files of one type. A resource is a file or a pattern; its tables have no schema."""

    category = Category.FILES
    capabilities = Capabilities(source=True, local=True, files=True)
    #: For sentences: "CSV".
    noun: str
    #: What to look at when a file cannot be read.
    hint: str = "Check that the file is complete and of that format."

    @abstractmethod
    def relation(
        self, con: "duckdb.DuckDBPyConnection", files: list[Path], config: dict[str, Any]
    ) -> str:
        """An SQL expression to select from: all the files as one table, columns united by name and
        typed.
        """

    @abstractmethod
    def check_first_file(
        self, con: "duckdb.DuckDBPyConnection", file: Path, shown: str, config: dict[str, Any]
    ) -> Outcome:
        """Parse one file; what is wrong with it is named by file and line."""

    def count_rows(self, con: "duckdb.DuckDBPyConnection", files: list[Path]) -> dict[Path, int]:
        """Rows by file where the format says so without reading it."""
        return {}

    def address(self, config: dict[str, Any]) -> str:
        return str(config.get("path", ""))

    def files(self, target: Target, name: str = "") -> list[Path]:
        """The files a resource names (or the whole connection for an empty name), each judged by
        the file policy.
        """
        return policy.expand_glob(
            name or target.config["path"],
            files_root=target.files_root,
            allowed_roots=target.allowed_roots,
        )

    def columns(self, con: "duckdb.DuckDBPyConnection", relation: str) -> tuple[Column, ...]:
        """The columns of a relation as DuckDB reads them."""
        rows = con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        return tuple(Column(row[0], row[1]) for row in rows)

    def check(self, target: Target, role: str) -> Iterator[Stage]:
        files: list[Path] = []

        def path() -> Outcome:
            text = policy.check_pattern(
                target.config["path"],
                files_root=target.files_root,
                allowed_roots=target.allowed_roots,
            )
            return Outcome(f"{text} is a place Datanika may read.")

        def match() -> Outcome:
            files.extend(self.files(target))
            first = policy.display_path(files[0], target.files_root)
            size = readable_size(files[0])
            if len(files) == 1:
                return Outcome(f"1 file: {first} ({size}).")
            return Outcome(f"{counted(len(files), 'file')}, the first is {first} ({size}).")

        def parse() -> Outcome:
            shown = policy.display_path(files[0], target.files_root)
            with self._reader(target, shown) as con:
                return self.check_first_file(con, files[0], shown, target.config)

        return run_steps([("path", path), ("match", match), ("read", parse)])

    def discover(
        self, target: Target, *, search: str, schema: str, after: str, limit: int
    ) -> CatalogPage:
        pattern = policy.check_path_syntax(target.config["path"])
        by_name = {
            policy.display_path(file, target.files_root): file for file in self.files(target)
        }
        tables = [Table("", name, "file") for name in by_name]
        if len(by_name) > 1:
            # All the files as one table, which is what a pattern is written for.
            tables.append(Table("", pattern, "files"))
        page = select_page(tables, search=search, schema=schema, after=after, limit=limit)
        shown = [by_name[table.name] for table in page.tables if table.kind == "file"]
        rows: dict[Path, int] = {}
        # A broken file must not hide the others; describing or loading it names it.
        with suppress(UserError), self._reader(target, pattern) as con:
            rows = self.count_rows(con, shown)
        counted_tables = tuple(
            Table("", table.name, table.kind, rows.get(by_name[table.name]))
            if table.kind == "file"
            else table
            for table in page.tables
        )
        return CatalogPage(counted_tables, page.schemas, page.next)

    def describe(self, target: Target, *, schema: str, table: str) -> Table:
        def read(con: "duckdb.DuckDBPyConnection", files: list[Path]) -> Table:
            columns = self.columns(con, self.relation(con, files, target.config))
            counts = self.count_rows(con, files)
            rows = sum(counts.values()) if len(counts) == len(files) else None
            return Table("", table, "file" if len(files) == 1 else "files", rows, columns)

        return self._read(target, table, read)

    def sample(
        self,
        target: Target,
        *,
        schema: str,
        table: str,
        columns: list[str] | None,
        filters: list[dict[str, Any]],
        limit: int,
    ) -> Sample:
        def read(con: "duckdb.DuckDBPyConnection", files: list[Path]) -> Sample:
            relation = self.relation(con, files, target.config)
            known = self.columns(con, relation)
            return sample_relation(con, relation, known, columns, filters, limit)

        return self._read(target, table, read, seconds=STATEMENT_SECONDS)

    def _read(
        self,
        target: Target,
        table: str,
        read: "Callable[[duckdb.DuckDBPyConnection, list[Path]], T]",
        *,
        seconds: float = _READ_SECONDS,
    ) -> T:
        """What ``read`` answers of the table's files; they are listed again where a load swaps their directory."""
        for _listing in range(policy.LISTINGS):
            files = self.files(target, table)
            try:
                with self._reader(target, table, seconds=seconds) as con:
                    return read(con, files)
            except (UserError, OSError):
                if all(file.exists() for file in files):
                    raise
        raise TransientError(
            f'The files of "{table}" are replaced again and again while they are read.',
            field="path",
            remedy="Try again when nothing writes to them.",
        )

    @contextmanager
    def _reader(
        self, target: Target, shown: str, *, seconds: float = _READ_SECONDS
    ) -> "Iterator[duckdb.DuckDBPyConnection]":
        """A DuckDB in memory that sees the allowed directories alone."""
        import duckdb

        roots = [root.resolve() for root in (target.files_root, *target.allowed_roots)]
        try:
            with closing(connect_duckdb(threads=2)) as con:
                lockdown(con, roots)
                with time_limit(con, seconds):
                    yield con
        except duckdb.Error as error:
            raise self._explain(error, shown, target) from error

    def _explain(self, error: "duckdb.Error", shown: str, target: Target) -> UserError:
        """DuckDB quotes the real path; a person knows the path below the files directory."""
        explained = explain_duckdb(
            error,
            f'"{shown}" cannot be read as {self.noun}.',
            field="path",
            remedy=self.hint,
        )
        explained.detail = explained.detail.replace(f"{target.files_root.resolve()}/", "")
        return explained


def file_list(files: list[Path]) -> str:
    """The files as an SQL list, each by its exact name: DuckDB would read ``a[1].csv`` as a
    pattern.
    """
    return f"[{', '.join(quote_text(_escape(str(file))) for file in files)}]"


def _escape(path: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)
