"""JSON files with one object a line: a source below the organization's files directory."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from common.errors import UserError
from connections.connectors.base import ConnectorForm, Help, Target
from connections.connectors.checks import Outcome, counted
from connections.connectors.fields import PathField
from connections.connectors.files import FilesConnector, file_list
from connections.connectors.json_errors import explain_malformed
from connections.connectors.texts import gettext_noop

if TYPE_CHECKING:
    import duckdb

#: Objects a check parses; a broken line further down is found by the run.
_CHECKED_ROWS = 200_000


class JsonlForm(ConnectorForm):
    """Which files."""

    path = PathField(
        placeholder="events/*.jsonl",
        help_text=_(
            "A file or a pattern, below the organization's files directory; .gz and .zst too."
        ),
    )

    sections = ((gettext_noop("Files"), ("path",)),)
    spans = {"path": "f-6"}


class JsonlConnector(FilesConnector):
    """Newline-delimited JSON: one object a line."""

    key = "jsonl"
    label = "JSON lines files"
    description = gettext_noop("One JSON object a line, also compressed with gzip or zstd.")
    tile = "{ }"
    noun = "JSON lines"
    form_class = JsonlForm
    help = Help(
        title=gettext_noop("One object a line"),
        text=gettext_noop(
            "A file that is one large JSON array is another type: choose JSON files."
        ),
        code='{"id": 1, "name": "Ada"}\n{"id": 2, "name": "Grace"}',
    )

    #: DuckDB's word for how the objects follow each other.
    format = "newline_delimited"

    def relation(
        self, con: "duckdb.DuckDBPyConnection", files: list[Path], config: dict[str, Any]
    ) -> str:
        return (
            f"read_json({file_list(files)}, format = '{self.format}', records = true, "
            "union_by_name = true, hive_partitioning = false)"
        )

    def _explain(self, error: "duckdb.Error", shown: str, target: Target) -> UserError:
        malformed = explain_malformed(str(error), target.files_root)
        return malformed or super()._explain(error, shown, target)

    def check_first_file(
        self, con: "duckdb.DuckDBPyConnection", file: Path, shown: str, config: dict[str, Any]
    ) -> Outcome:
        relation = self.relation(con, [file], config)
        columns = self.columns(con, relation)
        # The hash makes DuckDB parse every object; count(*) would only look for line ends.
        row = con.execute(
            f"SELECT count(*) FROM (SELECT hash(t) AS h FROM {relation} AS t "
            f"LIMIT {_CHECKED_ROWS}) WHERE h IS NOT NULL"
        ).fetchone()
        number = row[0] if row else 0
        rows = f"the first {number:,} rows" if number == _CHECKED_ROWS else counted(number, "row")
        return Outcome(f"{counted(len(columns), 'column')}, {rows} in {shown} can be parsed.")
