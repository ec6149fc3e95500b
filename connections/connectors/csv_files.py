"""CSV files: a source below the organization's files directory."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from connections.connectors.base import ConnectorForm, Help, StageStatus
from connections.connectors.checks import Outcome, counted
from connections.connectors.csv_layout import Layout, layouts_of, read_csv
from connections.connectors.fields import OptionField, PathField
from connections.connectors.files import FilesConnector
from connections.connectors.texts import gettext_noop

if TYPE_CHECKING:
    import duckdb

#: Rows a check parses; a ragged row further down is found by the run.
_CHECKED_ROWS = 200_000
_NAMED_ROWS = 3


class CsvForm(ConnectorForm):
    """Which files, and how they are written."""

    path = PathField(
        placeholder="weather/*.csv",
        help_text=_(
            "A file or a pattern, below the organization's files directory; .gz and .zst too."
        ),
    )
    delimiter = OptionField(
        label=_("Delimiter"),
        initial="auto",
        choices=[
            ("auto", _("Found in each file")),
            (",", _("Comma")),
            (";", _("Semicolon")),
            ("tab", _("Tab")),
            ("|", _("Vertical bar")),
        ],
    )
    header = OptionField(
        label=_("First line"),
        initial="yes",
        choices=[("yes", _("Names of the columns")), ("no", _("Already data"))],
    )
    quote = OptionField(
        label=_("Quote"),
        initial='"',
        choices=[
            ('"', _("Double quote")),
            ("'", _("Single quote")),
            ("none", _("None, every character counts")),
        ],
    )
    encoding = OptionField(
        label=_("Encoding"),
        initial="utf-8",
        choices=[("utf-8", "UTF-8"), ("latin-1", "Latin-1 (ISO 8859-1)")],
    )
    decimal = OptionField(
        label=_("Decimal mark"),
        initial=".",
        choices=[(".", _("Point: 1234.5")), (",", _("Comma: 1234,5"))],
    )
    null_text = forms.CharField(
        label=_("Text for NULL"),
        required=False,
        max_length=50,
        help_text=_(
            "Such as NA. An empty field without quotes is always NULL, "
            "an empty one in quotes never."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    sections = (
        (gettext_noop("Files"), ("path",)),
        (
            gettext_noop("Format"),
            ("delimiter", "header", "quote", "encoding", "decimal", "null_text"),
        ),
    )
    spans = {
        "path": "f-6",
        "delimiter": "f-2",
        "header": "f-2",
        "quote": "f-2",
        "encoding": "f-2",
        "decimal": "f-2",
        "null_text": "f-2",
    }

    def clean_decimal(self) -> str:
        mark: str = self.cleaned_data["decimal"]
        if mark == "," and self.cleaned_data.get("delimiter") == ",":
            raise ValidationError(_("A comma cannot be delimiter and decimal mark at once."))
        return mark


class CsvConnector(FilesConnector):
    """Delimited text. NULL and the empty text stay different things."""

    key = "csv"
    label = "CSV files"
    description = gettext_noop("Delimited text with or without a header, also compressed.")
    tile = "CSV"
    noun = "CSV"
    hint = (
        "Check delimiter, quote and encoding, and that all lines end the same way "
        "(not some with CR LF and others with LF)."
    )
    form_class = CsvForm
    help = Help(
        title=gettext_noop("Patterns"),
        text=gettext_noop(
            "* stands for any characters, ** for any directories. "
            "Files of one pattern may differ in the order of their columns."
        ),
        code="airports.csv\nweather/*.csv\n**/*.csv.gz",
    )

    def relation(
        self, con: "duckdb.DuckDBPyConnection", files: list[Path], config: dict[str, Any]
    ) -> str:
        groups = layouts_of(con, files, config)
        parts = [
            f"SELECT * FROM {_readable(con, group, layout, config)}"
            for layout, group in groups.items()
        ]
        return f"({' UNION ALL BY NAME '.join(parts)})"

    def check_first_file(
        self, con: "duckdb.DuckDBPyConnection", file: Path, shown: str, config: dict[str, Any]
    ) -> Outcome:
        layout = next(iter(layouts_of(con, [file], config)))
        # fetchall(): the rejects are written down when the scan has come to its end.
        counts = con.execute(
            f"SELECT count(*) FROM (SELECT hash(t) AS h FROM "
            f"{read_csv([file], layout, config, rejects=True)} AS t LIMIT {_CHECKED_ROWS}) "
            "WHERE h IS NOT NULL"
        ).fetchall()
        number = counts[0][0]
        ragged = con.execute(
            "SELECT line, csv_line FROM reject_errors GROUP BY ALL ORDER BY line"
        ).fetchall()
        columns = counted(len(layout.columns), "column")
        if ragged:
            return _ragged(shown, layout, ragged)
        if not number:
            return Outcome(f"{columns}, but no row in {shown}.", StageStatus.WARN)
        rows = f"the first {number:,} rows" if number == _CHECKED_ROWS else counted(number, "row")
        return Outcome(f"{columns}, {rows} in {shown} can be parsed.")


def _readable(
    con: "duckdb.DuckDBPyConnection", files: list[Path], layout: Layout, config: dict[str, Any]
) -> str:
    """The files with types, or as text where no types can be found in what is too broken."""
    import duckdb

    typed = read_csv(files, layout, config, typed=True, lenient=True)
    try:
        con.execute(f"DESCRIBE SELECT * FROM {typed}")
    except duckdb.Error:
        return read_csv(files, layout, config, lenient=True)
    return typed


def _ragged(shown: str, layout: Layout, rows: list[tuple[int, str]]) -> Outcome:
    expected = len(layout.columns)
    named: list[str] = []
    for line, text in rows[:_NAMED_ROWS]:
        number = layout.count(text)
        what = "cannot be read" if number == expected else f"has {counted(number, 'column')}"
        named.append(f"line {line} {what}")
    more = f", and {len(rows) - _NAMED_ROWS:,} more lines" if len(rows) > _NAMED_ROWS else ""
    return Outcome(
        f"{shown}: {expected} columns expected, but {', '.join(named)}{more}.",
        StageStatus.WARN,
        detail=rows[0][1][:200],
        remedy="Correct the lines or the format options; a run fails on such a line, before anything is written.",
    )
