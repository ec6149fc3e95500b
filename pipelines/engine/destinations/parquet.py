"""Parquet files as the destination: a directory a table, and in it one a load, which appears by one rename."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import UserError
from connections.connectors.base import Target
from connections.connectors.duckdb_support import load_extension
from connections.connectors.files import file_list
from connections.connectors.parquet_files import destination_folder
from connections.connectors.sql import Dialect, quote_text
from pipelines.engine.destinations.base import (
    REJECT_COLUMNS,
    REJECTS,
    CopyFeed,
    Destination,
    Feed,
    Order,
)
from pipelines.engine.destinations.directories import exchanged, moved, restored, settled
from pipelines.engine.model import Committed, ExistingTable, Known, Landing, TablePlan
from pipelines.engine.session import Session
from pipelines.engine.sqltext import filled, ident, typed_literal
from pipelines.engine.types import hub, to_parquet

#: Refused rows are Parquet too, under a name that no pattern of a reader of the table meets.
_COMMIT, _REFUSED, _PARTS = "_commit.json", "_rejects.pq", "part-*.parquet"
#: Several files make one load where it is larger; a group of rows is what is held in memory.
_WRITTEN = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES '32MB'"
_DIVIDED = f"{_WRITTEN}, FILE_SIZE_BYTES '256MB', OVERWRITE_OR_IGNORE true"
_COUNTS = ("rows_loaded", "rows_deduplicated", "rows_read", "rows_filtered", "rows_rejected")


class ParquetDestination(Destination):
    kind = "parquet"
    dialect = Dialect.DUCKDB
    #: Most readers take columns that differ in case only for one.
    folds_case = True

    def __init__(self, target: Target, session: Session, dataset: str, pipeline_name: str) -> None:
        super().__init__(dataset, pipeline_name)
        self._session = session
        if not dataset or dataset.startswith(".") or "/" in dataset or "\0" in dataset:
            raise UserError(
                f'"{dataset}" cannot be the name of a directory.',
                field="dataset",
                remedy="Use letters, digits and underscores.",
            )
        self.folder: Path = destination_folder(target) / dataset

    def land(self, kind: str) -> Landing:
        return to_parquet.land(kind)

    def hub_of(self, own: str) -> str:
        return to_parquet.hub_of(own)

    @contextmanager
    def opened(self) -> Iterator[None]:
        load_extension(self._session.connection, "json")
        yield

    # --- what stands there -----------------------------------------------------------------------

    def _loads(self, target: str, load_id: str = "*") -> list[Path]:
        """The directories of finished loads; a hidden one belongs to a load on its way."""
        found = self.folder.glob(f"{target}/{load_id}/{_COMMIT}")
        return sorted(path.parent for path in found if not path.parent.parent.name.startswith("."))

    def _parts(self, target: str) -> list[Path]:
        return [part for load in self._loads(target) for part in sorted(load.glob(_PARTS))]

    def existing(self, targets: Sequence[str]) -> dict[str, ExistingTable]:
        found = {}
        for target in targets:
            if self._parts(target):
                rows = self._session.connection.execute(
                    f"DESCRIBE SELECT * FROM {self.table(target)}"
                ).fetchall()
                found[target] = ExistingTable({row[0]: hub.canonical(row[1]) for row in rows})
        return found

    def has_ledger(self) -> bool:
        return self.folder.is_dir()

    def _commits(self, load_id: str = "*") -> Iterator[dict[str, Any]]:
        for path in self._loads("*", load_id):
            yield json.loads((path / _COMMIT).read_text())

    def known(self) -> dict[tuple[str, str], Known]:
        latest: dict[tuple[str, str], dict[str, Any]] = {}
        for commit in self._commits():
            key = (commit["resource"], commit["table_name"])
            mine = commit["pipeline_name"] == self.pipeline_name
            if mine and commit["committed_at"] > latest.get(key, {}).get("committed_at", ""):
                latest[key] = commit
        return {
            key: Known(
                commit["cursor_column"],
                commit["cursor_value"],
                int(commit["cursor_edit"]),
                tuple(commit["columns"]),
                commit["committed_at"],
            )
            for key, commit in latest.items()
        }

    def committed(self, load_id: str) -> dict[str, Committed]:
        return {
            commit["table_name"]: Committed(
                **{name: int(commit[name]) for name in _COUNTS}, cursor_after=commit["cursor_value"]
            )
            for commit in self._commits(load_id)
        }

    # --- writing ---------------------------------------------------------------------------------

    def _hidden(self, what: str, target: str) -> Path:
        return self.folder / f".{what}-{self.pipeline_name}-{target}"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f"{self._hidden('new', '').name}*"):
            shutil.rmtree(path)
        prefix = self._hidden("old", "").name
        for path in self.folder.glob(f"{prefix}*"):
            restored(path, self.folder / path.name.removeprefix(prefix))

    def load(self, order: Order, feed: Feed | CopyFeed) -> Committed:
        assert isinstance(feed, Feed), "only PostgreSQL takes a COPY"
        plan = order.plan
        if plan.disposition == "merge":
            raise UserError(
                f"{plan.resource}: Parquet files cannot be merged into.",
                field=f"resources.{plan.name}.write_disposition",
                remedy="Choose append or replace.",
            )
        place, new = self.folder / plan.target, self._hidden("new", plan.target)
        self._require_ours(place)
        shutil.rmtree(new, ignore_errors=True)
        made = new / order.load_id
        made.mkdir(parents=True)
        try:
            done = self._write(order, feed, made)
            rewritten = plan.is_there and self._keep_others(plan, made)
            settled(new)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        if not place.exists():
            moved(new, place)
        elif plan.write == "replace" or rewritten:
            exchanged(new, place, self._hidden("old", plan.target))
        else:
            moved(made, place / order.load_id)
            new.rmdir()
        return done

    def _require_ours(self, place: Path) -> None:
        """A replace takes the whole directory away, so nothing of anybody else's may be in it."""
        strange = [one.name for one in place.glob("*") if not (one / _COMMIT).exists()]
        if strange:
            raise UserError(
                f'The directory of {place.name} holds "{min(strange)}", which no load wrote.',
                field="dataset",
                remedy="Move it away, or choose another dataset or target.",
            )

    def _write(self, order: Order, feed: Feed, made: Path) -> Committed:
        """The files of the load: parts, refused rows, and what was done."""
        text = feed.select(lambda column, value: filled(to_parquet.land(column.hub).write, value))
        with feed.session.watched(order.said, order.plan.rows_estimate):
            order.counts.rows_staged = self._copied(text, made, "part-{i}")
        parts = sorted(made.glob(_PARTS))
        order.check(self._rows_of(parts), order.counts.rows_staged)
        self._count_values(order, parts)
        if feed.rejects:
            names = ", ".join(name for name, _ in REJECT_COLUMNS)
            target = quote_text(str(made / _REFUSED))
            feed.session.count(
                f"COPY (SELECT {names} FROM {feed.rejects}) TO {target} ({_WRITTEN})"
            )
        done = order.committed(order.counts.rows_staged, 0)
        moment = datetime.now(UTC).isoformat()
        values = {**order.ledger_row(self.pipeline_name, done), "committed_at": moment}
        (made / _COMMIT).write_text(json.dumps(values, indent=1))
        return done

    def _copied(self, select: str, directory: Path, pattern: str) -> int:
        place = quote_text(str(directory))
        return self._session.count(
            f"COPY ({select}) TO {place} ({_DIVIDED}, FILENAME_PATTERN {quote_text(pattern)})"
        )

    def _rows_of(self, parts: list[Path]) -> int:
        return self._session.count(
            f"SELECT sum(num_rows) FROM parquet_file_metadata({file_list(parts)})"
        )

    def _count_values(self, order: Order, parts: list[Path]) -> None:
        if not order.counted:
            return
        fields = ", ".join(f"count({ident(name)})" for name in order.counted)
        row = self.query(f"SELECT {fields} FROM {_read(parts)}")[0]
        order.values.update(zip(order.counted, map(int, row), strict=True))

    def _keep_others(self, plan: TablePlan, made: Path) -> bool:
        """Where rows have to go or get wider types, all others are written anew; whether that was so."""
        if plan.write == "replace":
            return False
        gone, wide = _gone(plan), {name.lower(): kind for name, kind in plan.widened}
        if not gone and not wide:
            return False
        columns = self.existing([plan.target])[plan.target].columns
        fields = ", ".join(
            f"CAST({ident(name)} AS {wide[name.lower()]}) AS {ident(name)}"
            if name.lower() in wide
            else ident(name)
            for name in columns
        )
        kept = f" WHERE ({gone}) IS NOT TRUE" if gone else ""
        self._copied(f"SELECT {fields} FROM {self.table(plan.target)}{kept}", made, "part-kept-{i}")
        return True

    # --- reading back ----------------------------------------------------------------------------

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self._session.connection.execute(statement).fetchall()

    def table(self, name: str) -> str:
        if name == REJECTS:
            files = [path / _REFUSED for path in self._loads("*") if (path / _REFUSED).exists()]
            columns = ", ".join(f"NULL::VARCHAR AS {one}" for one, _ in REJECT_COLUMNS)
            return _read(files) if files else f"(SELECT {columns} WHERE false)"
        return _read(self._parts(name))

    def discard_rejects(self, ids: Sequence[str]) -> int:
        discarded = 0
        for load in self._loads("*"):
            path, new = load / _REFUSED, load / f".{_REFUSED}"
            if not path.exists():
                continue
            there = f"FROM {_read([path])} WHERE reject_id"
            found = self._session.count(f"SELECT count(*) {there} IN ({self.listed(ids)})")
            if found:
                select = f"SELECT * {there} NOT IN ({self.listed(ids)})"
                with self._session.ordered(False):
                    self._session.count(f"COPY ({select}) TO {quote_text(str(new))} ({_WRITTEN})")
                new.replace(path)
            discarded += found
        return discarded


def _read(files: list[Path]) -> str:
    return f"read_parquet({file_list(files)}, union_by_name = true, hive_partitioning = false)"


def _gone(plan: TablePlan) -> str:
    """The condition of the rows that are loaded again, as in the SQL destinations; empty for none."""
    cursor = plan.cursor
    if cursor is None or plan.order_column is None:
        return ""
    column = ident(plan.order_column)
    kind = next(c.type for c in plan.columns if c.name == plan.order_column)
    if cursor.only:
        low, high = (typed_literal(value, kind, Dialect.DUCKDB) for value in cursor.only)
        return f"{column} >= {low} AND {column} < {high}"
    if cursor.start is not None and cursor.inclusive:
        return f"{column} >= {typed_literal(cursor.start, kind, Dialect.DUCKDB)}"
    return ""
