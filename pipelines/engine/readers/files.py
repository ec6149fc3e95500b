"""CSV, JSON and Parquet files, a path or pattern a resource. Types are declared before the rows are read."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from common.errors import TransientError
from connections import policy
from connections.connectors.base import Target
from connections.connectors.csv_layout import Layout, layouts_of, read_csv
from connections.connectors.duckdb_support import load_extension
from connections.connectors.files import file_list
from connections.connectors.json_errors import explain_malformed
from connections.connectors.sql import quote_text
from pipelines.engine.errors import FilesMoved, RaggedFile, TypesChanged
from pipelines.engine.model import Resource, SourceColumn, SourceTable
from pipelines.engine.readers.duck import DuckReader
from pipelines.engine.readers.text_types import (
    MISFIT,
    Seen,
    decide,
    decide_moment,
    decide_number,
    guarded,
    profile_sql,
)
from pipelines.engine.session import Session
from pipelines.engine.sqltext import ident

#: Rows the types are first taken from.
SAMPLE_ROWS = 20_000
#: How often the files of a resource are listed again because a replace swapped their directory.
RELISTED = 5
#: What a file is by its ending; all others are JSON lines.
_KINDS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json"}
_MISFIT = re.compile(rf"{MISFIT}(.*)")


class FilesReader(DuckReader):
    """Files below the directories the policy allows."""

    def __init__(self, target: Target, session: Session) -> None:
        super().__init__(session)
        self._target = target
        load_extension(self.connection, "json")
        #: Resources whose sample had misled: every row decides.
        self._whole: set[str] = set()
        self._layouts: dict[str, dict[Layout, list[Path]]] = {}
        #: As they were listed last, and how often they had vanished by the time they were read.
        self._files: dict[str, list[Path]] = {}
        self._vanished: Counter[str] = Counter()

    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        return {resource.label: self._describe(resource) for resource in resources}

    def explain(self, error: Exception, label: str) -> Exception:
        text = str(error)
        if isinstance(error, (duckdb.Error, OSError)) and self._has_vanished(label):
            return self._moved(label)
        if (misfit := _MISFIT.search(text)) and label not in self._whole:
            self._whole.add(label)
            return TypesChanged(misfit[1])
        if label in self._layouts and "CSV Error" in text:
            return self._ragged(label) or error
        return explain_malformed(text, self._target.files_root) or error

    def _has_vanished(self, label: str) -> bool:
        return not all(file.exists() for file in self._files.get(label, ()))

    def _moved(self, label: str) -> Exception:
        self._vanished[label] += 1
        if self._vanished[label] <= RELISTED:
            return FilesMoved(label)
        return TransientError(
            f"{label}: its files were replaced again and again while they were read.",
            remedy="Run it again when nothing writes to them.",
        )

    def _describe(self, resource: Resource) -> SourceTable:
        while True:
            try:
                return self._described(resource)
            except FilesMoved:
                continue

    def _described(self, resource: Resource) -> SourceTable:
        files = policy.expand_glob(
            resource.name or self._target.config["path"],
            files_root=self._target.files_root,
            allowed_roots=self._target.allowed_roots,
        )
        self._files[resource.label] = files
        kind = self._target.connector
        if kind == "files":
            kind = _KINDS.get(files[0].suffix, "jsonl")
        describe = {"csv": self._csv, "parquet": self._parquet, "json": self._json}.get(
            kind, self._jsonl
        )
        try:
            relation, columns = describe(resource.label, files)
        except (duckdb.Error, OSError) as error:
            raise self.explain(error, resource.label) from error
        return SourceTable("", resource.name, columns, relation=relation, kind="file")

    # --- CSV -----------------------------------------------------------------------------------

    def _csv(self, label: str, files: list[Path]) -> tuple[str, tuple[SourceColumn, ...]]:
        config = self._target.config
        layouts = layouts_of(self.connection, files, config)
        self._layouts[label] = layouts
        selects = [
            f"SELECT * FROM {read_csv(group, layout, config)}" for layout, group in layouts.items()
        ]
        relation = f"({' UNION ALL BY NAME '.join(selects)})"
        names = [column.name for column in self.columns_of(relation)]
        # A decimal comma is read as a point; text columns keep what is written.
        comma = str(config.get("decimal") or ".") == ","
        texts = {name: _pointed(ident(name)) if comma else ident(name) for name in names}
        seen = self._profile(label, relation, texts)
        columns = []
        for name in names:
            kind = decide(seen[name])
            expression = ident(name) if kind == "VARCHAR" else guarded(name, texts[name], kind)
            columns.append(SourceColumn(name, kind, True, expression, raw=texts[name]))
        return relation, tuple(columns)

    def _profile(self, label: str, relation: str, texts: dict[str, str]) -> dict[str, Seen]:
        rows = (
            relation if label in self._whole else f"(SELECT * FROM {relation} LIMIT {SAMPLE_ROWS})"
        )
        # One set of patterns for all columns: patterns of their own cost a wide file seconds.
        listed = ", ".join(f"{text} AS c{index}" for index, text in enumerate(texts.values()))
        values = f"(UNPIVOT (SELECT {listed} FROM {rows}) ON COLUMNS(*) INTO NAME place VALUE v)"
        counted = self.connection.execute(
            f"SELECT place, {profile_sql('v')} FROM {values} GROUP BY place"
        ).fetchall()
        found = {row[0]: Seen(*(count or 0 for count in row[1:])) for row in counted}
        # A column without any value does not appear.
        return {name: found.get(f"c{index}", Seen()) for index, name in enumerate(texts)}

    def _ragged(self, label: str) -> RaggedFile | None:
        """Read once more, this time writing down the lines that do not fit; the first is named."""
        con, config = self.connection, self._target.config
        for layout, group in self._layouts[label].items():
            source = read_csv(group, layout, config, rejects=True)
            con.execute(f"SELECT count(h) FROM (SELECT hash(t) AS h FROM {source} AS t)").fetchall()
            row = con.execute(
                "SELECT s.file_path, e.line, e.csv_line, e.error_message FROM reject_errors e"
                " JOIN reject_scans s USING (scan_id, file_id) ORDER BY s.file_path, e.line LIMIT 1"
            ).fetchone()
            if row:
                return self._ragged_line(layout, *row)
        return None

    def _ragged_line(
        self, layout: Layout, path: str, line: int, text: str, said: str
    ) -> RaggedFile:
        shown = policy.display_path(Path(path), self._target.files_root)
        expected, found = len(layout.columns), layout.count(text)
        what = (
            f"{expected} fields expected, {found} found"
            if found != expected
            else "the line cannot be read"
        )
        return RaggedFile(
            f"{shown}, line {line}: {what}.",
            field="path",
            remedy="Correct the line or the options of the connection; nothing of the file was loaded.",
            detail=f"{text[:300]}\n{said[:300]}",
        )

    # --- JSON ----------------------------------------------------------------------------------

    def _jsonl(self, label: str, files: list[Path]) -> tuple[str, tuple[SourceColumn, ...]]:
        return self._objects(label, files, "format = 'newline_delimited'")

    def _json(self, label: str, files: list[Path]) -> tuple[str, tuple[SourceColumn, ...]]:
        return self._objects(label, files, "format = 'auto'")

    def _objects(
        self, label: str, files: list[Path], form: str
    ) -> tuple[str, tuple[SourceColumn, ...]]:
        # Every object is looked at: DuckDB would leave out a key that the sample did not have.
        found = self.columns_of(_read_json(files, f"{form}, sample_size = -1"))
        declared = {column.name: _declared(column.type) for column in found}
        names = ", ".join(f"{quote_text(name)}: '{kind}'" for name, kind in declared.items())
        relation = _read_json(files, f"{form}, columns = {{{names}}}")
        loose = {
            column.name: ident(column.name)
            for column in found
            if _family(column.type) in ("number", "moment")
        }
        self._whole.add(label)
        seen = self._profile(label, relation, loose) if loose else {}
        small = self._small(relation, [c.name for c in found if c.type in ("UBIGINT", "HUGEINT")])
        return relation, tuple(
            SourceColumn(column.name, "BIGINT", True, f"CAST({ident(column.name)} AS BIGINT)")
            if column.name in small
            else _json_column(column, seen.get(column.name))
            for column in found
        )

    def _small(self, relation: str, names: list[str]) -> set[str]:
        """Of columns of whole numbers those that fit a BIGINT; both signs alone make DuckDB think of more."""
        if not names:
            return set()
        fits = ", ".join(
            f"bool_and(TRY_CAST({ident(name)} AS BIGINT) IS NOT NULL) "
            f"FILTER ({ident(name)} IS NOT NULL)"
            for name in names
        )
        row = self.connection.execute(f"SELECT {fits} FROM {relation}").fetchone() or ()
        return {name for name, fit in zip(names, row, strict=True) if fit is not False}

    # --- Parquet -------------------------------------------------------------------------------

    def _parquet(self, label: str, files: list[Path]) -> tuple[str, tuple[SourceColumn, ...]]:
        relation = (
            f"read_parquet({file_list(files)}, union_by_name = true, hive_partitioning = false)"
        )
        return relation, self.columns_of(relation)


def _pointed(name: str) -> str:
    return f"replace(replace({name}, '.', '?'), ',', '.')"


def _read_json(files: list[Path], options: str) -> str:
    return (
        f"read_json({file_list(files)}, records = true, union_by_name = true,"
        # Many keys are still columns, not one map.
        f" map_inference_threshold = -1, hive_partitioning = false, {options})"
    )


def _family(kind: str) -> str:
    if kind in ("DOUBLE", "FLOAT"):
        return "number"
    return "moment" if kind.startswith(("DATE", "TIME")) else ""


def _declared(kind: str) -> str:
    """What DuckDB is told to read: text wherever its own guess might change a value."""
    if kind in ("BIGINT", "UBIGINT", "HUGEINT", "BOOLEAN"):
        return kind
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "JSON"))
    return "JSON" if nested else "VARCHAR"


def _json_column(column: SourceColumn, seen: Seen | None) -> SourceColumn:
    name, kind = column.name, _declared(column.type)
    if kind == "JSON":
        note = "nested or of several types, kept as JSON; numbers in it are floats"
        return SourceColumn(name, "JSON", True, note=note)
    if seen is None:
        return SourceColumn(name, kind)
    decided: Any = decide_number(seen) if _family(column.type) == "number" else decide_moment(seen)
    note = (
        "more digits than a decimal number is sure of, kept as DOUBLE"
        if decided == "DOUBLE"
        else ""
    )
    expression = ident(name) if decided == "VARCHAR" else guarded(name, ident(name), decided)
    return SourceColumn(name, decided, True, expression, raw=ident(name), note=note)
