"""One load: take up what a lost attempt left, plan every table, then read and write them one after the other."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import DatanikaError, UserError
from pipelines.engine.accounting import account, result
from pipelines.engine.errors import MissingTable, TypesChanged, near, translate
from pipelines.engine.events import Reporter, rows_text
from pipelines.engine.model import ExistingTable, Extracted, Resource, SourceTable, TablePlan
from pipelines.engine.package import Packages, remember
from pipelines.engine.planner import parse_resource, plan_table
from pipelines.engine.readers.base import Part, PartFormat, Reader
from pipelines.engine.state import Entry, Journal
from pipelines.engine.warehouse import Commit, Warehouse


class Load:
    """The load of one spec. ``run`` answers the summary, or raises for the first table that fails."""

    def __init__(
        self,
        spec: dict[str, Any],
        warehouse: Warehouse,
        open_reader: Callable[[], Reader],
        journal: Journal,
        work_dir: Path,
        reporter: Reporter,
    ) -> None:
        self._spec = spec
        self._warehouse = warehouse
        self._open_reader = open_reader
        self._journal = journal
        self._stage = work_dir / "stage"
        self._reporter = reporter
        self._packages = Packages(work_dir, warehouse, reporter)
        self._rows_loaded = 0
        self._tables = 0

    def run(self) -> dict[str, Any]:
        self._take_up()
        with self._open_reader() as reader:
            resources = self._resources(reader)
            plans = self._plan_all(reader, resources)
            for resource in resources:
                self._table(reader, resource, plans[resource.target])
        self._journal.clear()
        shutil.rmtree(self._stage, ignore_errors=True)
        return {
            "rows_loaded": self._rows_loaded,
            "tables": self._tables,
            "schema_hash": self._packages.schema_hash,
        }

    # --- what a lost attempt left --------------------------------------------------------------

    def _take_up(self) -> None:
        """Finish a package that was read completely; anything less was not written and is forgotten."""
        known = self._journal.read()
        pending = self._packages.pending()
        if pending:
            entries = [self._journal.of_load(load_id) for load_id in pending] if known else [None]
            if all(entries):
                self._reporter.log("Resumed: finishing the load of the attempt that was lost.")
                self._load_package()
            else:
                self._reporter.debug(
                    "The lost attempt had not read its table to the end; it starts anew."
                )
                self._packages.discard()
        if not known or int(self._spec.get("attempt") or 1) <= 1:
            # A new run: what an earlier one has done is not its own.
            self._journal.clear()

    # --- planning ------------------------------------------------------------------------------

    def _resources(self, reader: Reader) -> list[Resource]:
        spec = self._spec
        schema = spec.get("source_schema") or ""
        if spec.get("mode") != "full_database":
            resources = [
                parse_resource(item, schema, spec.get("defaults"))
                for item in spec["resources"]
                if item.get("selected", True)
            ]
        else:
            resources = self._whole_database(reader, schema)
        if not resources:
            raise UserError("There is no table to load.", field="resources")
        _check_targets(resources)
        return resources

    def _whole_database(self, reader: Reader, schema: str) -> list[Resource]:
        spec = self._spec
        names = reader.tables(schema)
        settings = {item["name"]: item for item in spec.get("resources") or []}
        for name in settings:
            if name not in names:
                raise _missing_table(name, schema, names)
        self._reporter.debug(f"{len(names)} tables in {schema or 'the database'}.")
        for view in reader.views(schema):
            self._reporter.debug(f"{view} is a view and is left out.", scope=f"extract:{view}")
        return [
            parse_resource(settings.get(name, {"name": name}), schema, spec.get("defaults"))
            for name in names
            if settings.get(name, {}).get("selected", True)
        ]

    def _plan_all(self, reader: Reader, resources: list[Resource]) -> dict[str, TablePlan]:
        """Every table is planned before the first is written, so that a refusal leaves nothing behind."""
        found = self._describe(reader, resources)
        existing = self._existing(resources)
        return {
            resource.target: self._plan(reader, resource, found[resource.label], existing)
            for resource in resources
        }

    def _describe(self, reader: Reader, resources: list[Resource]) -> dict[str, SourceTable]:
        try:
            found = reader.describe(resources)
        except Exception as error:
            raise translate(error, "Looking at the source") from error
        for resource in resources:
            if resource.label not in found:
                raise _missing_table(resource.name, resource.schema, reader.tables(resource.schema))
        return found

    def _existing(self, resources: list[Resource]) -> dict[str, ExistingTable]:
        if not self._warehouse.is_there():
            return {}
        try:
            with self._warehouse.opened():
                self._packages.restore()
                return self._warehouse.existing(
                    [(resource.label, resource.target) for resource in resources]
                )
        except Exception as error:
            raise translate(error, "Opening the destination") from error

    def _plan(
        self,
        reader: Reader,
        resource: Resource,
        table: SourceTable,
        existing: dict[str, ExistingTable],
    ) -> TablePlan:
        return plan_table(
            resource,
            table,
            existing.get(resource.target),
            dialect=reader.dialect,
            destination=self._warehouse.kind,
            full_refresh=bool(self._spec.get("full_refresh")),
        )

    # --- one table -----------------------------------------------------------------------------

    def _table(self, reader: Reader, resource: Resource, plan: TablePlan) -> None:
        started = time.monotonic()
        try:
            if self._done_before(resource):
                return
            entry = self._read(reader, resource, plan)
            self._load_package()
            self._report(resource, entry, time.monotonic() - started)
        except Exception as error:
            raise self._failed(resource, error) from error

    def _done_before(self, resource: Resource) -> bool:
        """A table the lost attempt of this same run committed is not loaded a second time."""
        entry = self._journal.get(resource.target)
        if entry is None:
            return False
        with self._warehouse.opened():
            committed = self._warehouse.committed(entry.load_id, resource.target)
        if committed is None:
            return False
        self._reporter.log(
            "Already loaded by the attempt that was lost.", scope=f"load:{resource.target}"
        )
        self._report(resource, entry, 0.0)
        return True

    def _read(self, reader: Reader, resource: Resource, plan: TablePlan) -> Entry:
        for conversion in plan.conversions:
            self._reporter.debug(f"Converted {conversion}", scope=f"extract:{resource.name}")
        try:
            return self._extract(reader, resource, plan)
        except TypesChanged:
            # Once only: the reader has now looked at every value.
            self._packages.discard()
            table = self._describe(reader, [resource])[resource.label]
            plan = self._plan(reader, resource, table, self._existing([resource]))
            return self._extract(reader, resource, plan)

    def _extract(self, reader: Reader, resource: Resource, plan: TablePlan) -> Entry:
        counts = Extracted()
        started_at = _now()
        entries: list[Entry] = []
        shutil.rmtree(self._stage, ignore_errors=True)
        self._stage.mkdir(parents=True)

        def parts(load_id: str) -> Iterator[Part]:
            any_part = False
            for part in reader.extract(
                plan,
                load_id,
                self._stage,
                counts,
                self._reporter,
                _part_format(reader, self._warehouse),
            ):
                any_part = True
                yield part
                part.path.unlink(missing_ok=True)
            if not any_part:
                # dlt loads files: an empty one stands for no rows, so that a replace empties the table.
                empty = self._stage / "empty.csv"
                empty.touch()
                yield Part(empty, 0)
            if plan.cursor:
                remember({"column": plan.cursor.column, "value": counts.cursor_after})
            entry = Entry(
                load_id,
                plan,
                counts.rows_read,
                counts.rows_kept,
                counts.cursor_after,
                counts.longest_row,
                started_at,
            )
            entries.append(entry)
            self._journal.add(entry)

        self._packages.extract(plan, parts)
        self._reporter.progress(
            f"extract:{resource.name}", counts.rows_kept, counts.rows_kept, force=True
        )
        return entries[0]

    def _load_package(self) -> None:
        def commit(load_id: str, target: str, parts: list[Path]) -> None:
            entry = self._journal.of_load(load_id)
            assert entry is not None, "a package without a journal entry"
            scope = f"load:{entry.plan.target}"
            self._warehouse.commit(
                Commit(
                    entry.plan,
                    load_id,
                    parts,
                    entry.rows_kept,
                    entry.cursor_after,
                    entry.longest_row,
                ),
                lambda rows: self._reporter.progress(scope, rows, entry.rows_kept),
            )

        try:
            self._packages.load(commit)
        except Exception as error:
            translated = translate(error, "Writing to the destination")
            if not translated.transient:
                # The commit is all or nothing, so nothing of this package is there to be finished.
                self._packages.discard()
            raise translated from error

    def _report(self, resource: Resource, entry: Entry, seconds: float) -> None:
        plan = entry.plan
        with self._warehouse.opened():
            committed = self._warehouse.committed(entry.load_id, plan.target)
        if committed is None:
            raise DatanikaError(f"{resource.label}: the destination has no record of the load.")
        counters = account(plan, entry.rows_read, entry.rows_kept, committed)
        text = f"{rows_text(committed.rows_loaded)} in {seconds:.1f} s"
        if plan.cursor and entry.cursor_after is not None:
            text += f", cursor moves to {entry.cursor_after}"
        self._rows_loaded += committed.rows_loaded
        self._tables += 1
        self._reporter.progress(
            f"load:{plan.target}", committed.rows_loaded, committed.rows_loaded, force=True
        )
        self._reporter.log(text, level="ok", scope=f"load:{plan.target}")
        self._reporter.result(
            result(
                plan,
                resource.name,
                counters,
                started_at=entry.started_at,
                finished_at=_now(),
                cursor_after=entry.cursor_after,
                message=text,
            )
        )

    def _failed(self, resource: Resource, error: Exception) -> DatanikaError:
        translated = translate(error, f"Loading {resource.label}")
        if resource.label not in translated.message and resource.name not in translated.message:
            translated.message = f"{resource.label}: {translated.message}"
        self._reporter.result(
            {
                "name": resource.name,
                "target": resource.target,
                "status": "failed",
                "message": translated.message,
                **dict.fromkeys(
                    (
                        "rows_read",
                        "rows_filtered",
                        "rows_rejected",
                        "rows_deduplicated",
                        "rows_loaded",
                    ),
                    0,
                ),
                "started_at": _now(),
                "finished_at": _now(),
                "columns": [],
                "cursor": None,
                "conversions": [],
            }
        )
        return translated


def _part_format(reader: Reader, warehouse: Warehouse) -> PartFormat:
    if reader.writes_csv_only and warehouse.part_format == "parquet":
        return "csv"
    return warehouse.part_format


def _check_targets(resources: list[Resource]) -> None:
    seen: dict[str, Resource] = {}
    for resource in resources:
        if "." in resource.target or "/" in resource.target or resource.target.startswith("_dlt"):
            raise UserError(
                f'"{resource.target}" cannot be the name of a table.',
                field=f"resources.{resource.name}.target",
                remedy="Use letters, digits and underscores.",
            )
        if other := seen.get(resource.target.lower()):
            raise UserError(
                f'{other.label} and {resource.label} would both be loaded into "{resource.target}".',
                field=f"resources.{resource.name}.target",
                remedy="Give one of them another target.",
            )
        seen[resource.target.lower()] = resource


def _missing_table(name: str, schema: str, names: list[str]) -> UserError:
    where = f" in {schema}" if schema else ""
    return MissingTable(
        f'There is no table "{name}"{where}.', field=f"resources.{name}", remedy=near(name, names)
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
