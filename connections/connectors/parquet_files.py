"""Parquet files: a source below the organization's files directory."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from connections.connectors.base import ConnectorForm, Help
from connections.connectors.checks import Outcome, counted
from connections.connectors.fields import PathField
from connections.connectors.files import FilesConnector, file_list
from connections.connectors.texts import gettext_noop

if TYPE_CHECKING:
    import duckdb


class ParquetForm(ConnectorForm):
    """Which files."""

    path = PathField(
        placeholder="**/*.parquet",
        help_text=_("A file or a pattern, below the organization's files directory."),
    )

    sections = ((gettext_noop("Files"), ("path",)),)
    spans = {"path": "f-6"}


class ParquetConnector(FilesConnector):
    """Parquet files, which carry their own types."""

    key = "parquet"
    label = "Parquet files"
    description = gettext_noop("Columnar files with their own types, one or a pattern of them.")
    tile = "Pq"
    noun = "Parquet"
    form_class = ParquetForm
    help = Help(
        title=gettext_noop("Patterns"),
        text=gettext_noop("* stands for any characters, ** for any directories."),
        code="airports.parquet\nflights/*.parquet\n**/*.parquet",
    )

    def relation(
        self, con: "duckdb.DuckDBPyConnection", files: list[Path], config: dict[str, Any]
    ) -> str:
        # A directory named "year=2026" is a name here, not a column nobody asked for.
        return f"read_parquet({file_list(files)}, union_by_name = true, hive_partitioning = false)"

    def count_rows(self, con: "duckdb.DuckDBPyConnection", files: list[Path]) -> dict[Path, int]:
        if not files:
            return {}
        rows = con.execute(
            f"SELECT file_name, num_rows FROM parquet_file_metadata({file_list(files)})"
        ).fetchall()
        return {Path(name): count for name, count in rows}

    def check_first_file(
        self, con: "duckdb.DuckDBPyConnection", file: Path, shown: str, config: dict[str, Any]
    ) -> Outcome:
        columns = self.columns(con, self.relation(con, [file], config))
        rows = self.count_rows(con, [file])
        return Outcome(
            f"{counted(len(columns), 'column')}, {counted(rows[file], 'row')} in {shown}."
        )
