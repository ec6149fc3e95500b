"""Parquet files: source and destination below the organization's files directory."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.errors import UserError
from connections import policy
from connections.connectors.base import (
    Capabilities,
    CatalogPage,
    ConnectorForm,
    Help,
    Stage,
    StageStatus,
    Target,
)
from connections.connectors.checks import Outcome, counted, run_steps
from connections.connectors.fields import PathField
from connections.connectors.files import FilesConnector, file_list
from connections.connectors.texts import gettext_noop

if TYPE_CHECKING:
    import duckdb


class ParquetForm(ConnectorForm):
    """Which files, and where a destination puts its own."""

    path = PathField(
        required=False,
        placeholder="**/*.parquet",
        help_text=_("To read: a file or a pattern, below the organization's files directory."),
    )
    folder = PathField(
        label=_("Folder"),
        required=False,
        placeholder="lake",
        help_text=_(
            "To write: a directory below the organization's files directory, "
            "created by the first run."
        ),
    )

    sections = ((gettext_noop("Files"), ("path", "folder")),)
    spans = {"path": "f-6", "folder": "f-6"}

    def clean_folder(self) -> str:
        folder: str = self.cleaned_data["folder"]
        if policy.has_glob(folder):
            raise ValidationError(_("Name one directory; a pattern is for reading."))
        return folder

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if not self.errors and not cleaned.get("path") and not cleaned.get("folder"):
            self.add_error("path", _("A path to read is needed, or a folder to write."))
        return cleaned


class ParquetConnector(FilesConnector):
    """Parquet files, which carry their own types."""

    key = "parquet"
    label = "Parquet files"
    description = gettext_noop("Columnar files with their own types, one or a pattern of them.")
    tile = "Pq"
    noun = "Parquet"
    form_class = ParquetForm
    capabilities = Capabilities(
        source=True,
        destination=True,
        local=True,
        files=True,
        write_dispositions=frozenset({"append", "replace"}),
    )
    help = Help(
        title=gettext_noop("Patterns"),
        text=gettext_noop("* stands for any characters, ** for any directories."),
        code="airports.parquet\nflights/*.parquet\n**/*.parquet",
    )

    def address(self, config: dict[str, Any]) -> str:
        return str(config.get("path") or config.get("folder") or "")

    def check(self, target: Target, role: str) -> Iterator[Stage]:
        if role in {"source", "both"}:
            for stage in super().check(target, role):
                yield stage
                if stage.status is StageStatus.FAILED:
                    return
        if role in {"destination", "both"}:
            yield from run_steps([("write", lambda: _check_folder(target))])

    def discover(
        self, target: Target, *, search: str, schema: str, after: str, limit: int
    ) -> CatalogPage:
        if not target.config.get("path"):
            # What its own loads wrote, refused rows aside.
            pattern = f"{target.config['folder'].rstrip('/')}/**/part-*.parquet"
            target = replace(target, config={**target.config, "path": pattern})
        return super().discover(target, search=search, schema=schema, after=after, limit=limit)

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


def destination_folder(target: Target) -> Path:
    """The directory a destination writes below, judged by the file policy; it may be missing."""
    text = str(target.config.get("folder") or target.config.get("path") or "")
    if not text or policy.has_glob(text):
        raise UserError(
            "The connection names no folder to write to.",
            field="folder",
            remedy="Give a directory below the organization's files directory.",
        )
    folder = policy.resolve_path(
        text,
        files_root=target.files_root,
        allowed_roots=target.allowed_roots,
        must_exist=False,
    )
    if folder.exists() and not folder.is_dir():
        raise UserError(f'"{text}" is a file.', field="folder", remedy="Name a directory.")
    return folder


def _check_folder(target: Target) -> Outcome:
    folder = destination_folder(target)
    shown = policy.display_path(folder, target.files_root)
    # A missing one is made in the nearest that is there.
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(
            f'"{shown}" cannot be written.',
            field="folder",
            remedy="Ask the operator to check the permissions of that directory.",
        )
    made = "" if folder.exists() else " It is created by the first run."
    return Outcome(f"Directories and files can be created in {shown}.{made}")
