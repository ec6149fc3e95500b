"""One load: look at both ends, then plan, fill and commit one table after the other."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import psycopg

from common.errors import DatanikaError, TransientError, UserError
from pipelines.engine.accounting import Outcome, failed, left_out, succeeded
from pipelines.engine.destinations.base import CopyFeed, Destination, Feed, Order
from pipelines.engine.dlt_record import Record
from pipelines.engine.ends import at_end, directories_of, opened
from pipelines.engine.errors import (
    NothingToReplay,
    TableLeftOut,
    TooNarrow,
    TypesChanged,
    Unconvertible,
    translate,
    without_paths,
)
from pipelines.engine.events import Reporter, rows_text
from pipelines.engine.lanes import Judging, can_copy, copied, strict
from pipelines.engine.model import (
    Committed,
    ExistingTable,
    Extracted,
    Known,
    Resource,
    SourceTable,
    TablePlan,
)
from pipelines.engine.planner import Circumstances, plan_table
from pipelines.engine.readers.base import Reader
from pipelines.engine.replays import Replay
from pipelines.engine.resources import chosen_resources, missing_table, unfit_targets
from pipelines.engine.session import Session
from pipelines.engine.verification import verify

#: What a value that does not convert makes a destination or the hub say.
_UNCONVERTIBLE = (
    Unconvertible,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.InvalidInputException,
    duckdb.TypeMismatchException,
    psycopg.DataError,
)
#: What says where a connection leads.
_PLACE = ("host", "port", "database", "path")
#: The failed tables named in the error of a load.
_NAMED = 3


@dataclass
class _Ends:
    """What both ends hold before the first table."""

    found: dict[str, SourceTable]
    existing: dict[str, ExistingTable]
    known: dict[tuple[str, str], Known]
    committed: dict[str, Committed]


class Load:
    """The load of one spec. ``run`` answers the summary, or raises one error for the tables that failed."""

    def __init__(
        self,
        spec: dict[str, Any],
        session: Session,
        destination: Destination,
        open_reader: Callable[[], Reader],
        reporter: Reporter,
    ) -> None:
        self._spec, self._session = spec, session
        self._destination, self._open_reader = destination, open_reader
        self._reporter = reporter
        self._load_id = str(spec.get("load_id") or f"{time.time():.6f}")
        self._options: dict[str, Any] = spec.get("options") or {}
        self._hash_key = str(spec.get("hash_key") or "")
        self._full_refresh = bool(self._options.get("full_refresh"))
        self._record = Record(destination, self._load_id, reporter)
        self._outcomes: list[Outcome] = []
        self._failures: list[DatanikaError] = []
        self._single = True
        #: Tables that could not even be described, by label.
        self._broken: dict[str, Exception] = {}

    def run(self) -> dict[str, Any]:
        with opened(self._open_reader, self._destination) as reader:
            resources = self._resources(reader)
            ends = self._look(reader, resources)
            self._single = len(resources) == 1
            self._broken |= unfit_targets(resources)
            for resource in resources:
                self._table(reader, resource, ends)
            if self._options.get("replay_rejects") and not (self._outcomes or self._failures):
                raise NothingToReplay(field="options.replay_rejects")
            if self._outcomes:
                self._record.keep(self._outcomes)
        self._raise_failures(len(resources))
        return {
            "rows_loaded": sum(outcome.committed.rows_loaded for outcome in self._outcomes),
            "rows_rejected": sum(outcome.committed.rows_rejected for outcome in self._outcomes),
            "tables": len(self._outcomes),
            "schema_hash": self._record.schema_hash,
        }

    # --- before the first table --------------------------------------------------------------------

    def _resources(self, reader: Reader) -> list[Resource]:
        schema = self._spec.get("source_schema") or ""
        names: list[str] = []
        if self._spec.get("mode") == "full_database":
            names = reader.tables(schema)
            self._reporter.debug(f"{len(names)} tables in {schema or 'the database'}.")
            for view in reader.views(schema):
                self._reporter.debug(f"{view} is a view and is left out.", scope=f"extract:{view}")
        return chosen_resources(self._spec, names)

    def _look(self, reader: Reader, resources: list[Resource]) -> _Ends:
        try:
            with at_end("source"):
                found = self._describe(reader, resources)
        except Exception as error:
            raise translate(error, "Looking at the source") from error
        destination = self._destination
        try:
            with at_end("destination"):
                existing = destination.existing([resource.target for resource in resources])
                known, committed = destination.known(), destination.committed(self._load_id)
        except Exception as error:
            raise translate(error, "Opening the destination") from error
        return _Ends(found, existing, known, committed)

    def _describe(self, reader: Reader, resources: list[Resource]) -> dict[str, SourceTable]:
        """All at once; where one of them cannot be read, each by itself, so that it fails alone."""
        try:
            return reader.describe(resources)
        except Exception:
            if len(resources) == 1:
                raise
        found: dict[str, SourceTable] = {}
        for resource in resources:
            try:
                with at_end("source"):
                    found |= reader.describe([resource])
            except Exception as error:  # noqa: BLE001, reported as the failure of this table
                self._broken[resource.label] = error
        return found

    def _plan(
        self,
        reader: Reader,
        resource: Resource,
        ends: _Ends,
        as_text: frozenset[str] = frozenset(),
    ) -> TablePlan:
        if error := self._broken.get(resource.label):
            raise error
        table = ends.found.get(resource.label)
        if table is None:
            raise missing_table(resource.name, resource.schema, reader.tables(resource.schema))
        self._refuse_itself(resource)
        bounds = self._options.get("cursor_range")
        given = Circumstances(
            existing=ends.existing.get(resource.target),
            known=ends.known.get((resource.label, resource.target)),
            edited=(self._spec.get("cursors") or {}).get(resource.name),
            full_refresh=self._full_refresh,
            only=(str(bounds["from"]), str(bounds["to"])) if bounds else None,
            replay=bool(self._options.get("replay_rejects")),
            as_text=as_text,
        )
        return plan_table(
            resource,
            table,
            given,
            dialect=reader.dialect,
            shore=self._destination,
            own_kind=reader.kind == self._destination.kind == "postgres",
        )

    def _refuse_itself(self, resource: Resource) -> None:
        """A table read and replaced at once would wait for itself."""
        source, destination = self._spec["source"], self._spec["destination"]
        places = [
            (end["connector"], *(end["config"].get(key) for key in _PLACE))
            for end in (source, destination)
        ]
        here = (resource.schema, resource.name) == (self._spec["dataset"], resource.target)
        if here and places[0] == places[1] and not resource.query:
            raise UserError(
                f"{resource.label} would be loaded into itself.",
                field="dataset",
                remedy="Choose another schema or another target.",
            )

    # --- one table ---------------------------------------------------------------------------------

    def _table(self, reader: Reader, resource: Resource, ends: _Ends) -> None:
        started = _now()
        try:
            if done := ends.committed.get(resource.target):
                self._reporter.log(
                    "Already loaded by the attempt that was lost.", scope=f"load:{resource.target}"
                )
                # What the lost attempt had no time to put away.
                self._record.prepare()
                plan = self._plan(reader, resource, ends)
                self._finished(Outcome(plan, resource, done, started_at=started))
                return
            plan = self._plan(reader, resource, ends)
            self._say_plan(plan)
            self._record.prepare()
            outcome = self._loaded(reader, resource, plan, ends, started)
            outcome.verification = verify(reader, self._destination, resource, outcome.plan)
            self._finished(outcome)
        except NothingToReplay:
            # Of a whole pipeline most tables have none.
            if self._single:
                raise
            self._reporter.debug("No refused rows.", scope=f"load:{resource.target}")
        except TableLeftOut:
            self._reporter.warn(
                "Left out: the schema contract wants no new table.", scope=resource.name
            )
            self._reporter.result(left_out(resource, started))
        except Exception as error:  # noqa: BLE001, the failure of one table is not that of the others
            self._failed(resource, reader.explain(error, resource.label), started)

    def _say_plan(self, plan: TablePlan) -> None:
        for column in plan.columns:
            if column.note:
                self._reporter.debug(f"{column.name}: {column.note}", scope=f"extract:{plan.name}")
        for change in plan.changes:
            if change.change != "table_added":
                self._reporter.log(
                    f"{change.change.replace('_', ' ')}: {change.column} {change.before} → {change.after}"
                    f" ({change.treatment})",
                    scope=f"extract:{plan.name}",
                )

    def _loaded(
        self, reader: Reader, resource: Resource, plan: TablePlan, ends: _Ends, started: str
    ) -> Outcome:
        """Strictly first; where a value does not convert, once more with each row judged.

        Where the source is not what the reader took it for, it is described again first.
        """
        while True:
            try:
                return self._attempt(reader, resource, plan, started)
            except TooNarrow as narrow:
                plan = self._plan(reader, resource, ends, narrow.columns)
            except duckdb.OutOfMemoryException:
                if not self._session.allow_more_memory():
                    raise
                self._reporter.debug("Once more with more memory.", scope=f"fill:{plan.target}")
            except Exception as error:
                found = reader.explain(error, resource.label)
                if isinstance(found, TypesChanged):
                    ends.found |= reader.describe([resource])
                    plan = self._plan(reader, resource, ends)
                    continue
                if found is not error:
                    raise found from error
                if plan.tolerant or not isinstance(error, _UNCONVERTIBLE):
                    raise
                self._reporter.log(
                    "Some values do not convert; reading again and judging every row.",
                    scope=f"extract:{plan.name}",
                )
                plan = replace(plan, tolerant=True)

    def _attempt(
        self, reader: Reader, resource: Resource, plan: TablePlan, started: str
    ) -> Outcome:
        counts = Extracted()
        scope = f"load:{plan.target}"
        order = Order(
            plan,
            self._load_id,
            counts,
            lambda rows: self._reporter.progress(scope, rows, plan.rows_estimate),
            counted=tuple(column.name for column in plan.kept if column.note),
        )
        began = time.monotonic()
        judging: Judging | None = None
        with reader.snapshot():
            feed: Feed | CopyFeed
            if plan.replay:
                judging = Judging(self._session, plan, self._load_id, self._hash_key)
                replay = Replay(self._destination, self._session, plan)
                feed = judging.feed(replay.relation(), counts)
                if plan.contract.data_type == "evolve" and judging.unfit:
                    raise TooNarrow(judging.unfit)
                order.replayed = replay.condition
            else:
                conditions = reader.conditions(plan, counts)
                if can_copy(reader, plan, self._destination.kind):
                    feed = copied(reader, plan, conditions, self._load_id)
                elif plan.tolerant:
                    judging = Judging(self._session, plan, self._load_id, self._hash_key)
                    feed = judging.feed(reader.rows(plan, conditions, raw=True), counts)
                else:
                    feed = strict(
                        reader, self._session, plan, conditions, self._load_id, self._hash_key
                    )
            self._reporter.debug("Rows are on their way.", scope=f"fill:{plan.target}")
            # Set and set back outside of the destination's transaction, which may be broken by then.
            with self._session.ordered(feed.ordered) if isinstance(feed, Feed) else nullcontext():
                committed = self._destination.load(order, feed)
        self._reporter.debug("Committed.", scope=f"commit:{plan.target}")
        return Outcome(
            plan,
            resource,
            committed,
            started_at=started,
            seconds=time.monotonic() - began,
            reading_seconds=max(order.filled_at - began, 0.0),
            lane="duck" if isinstance(feed, Feed) else "copy",
            bytes=counts.bytes,
            values=order.values,
            refused=tuple(judging.refused) if judging else (),
            emptied=judging.emptied if judging else {},
        )

    # --- what came of it -------------------------------------------------------------------------

    def _finished(self, outcome: Outcome) -> None:
        outcome.check()
        plan, committed = outcome.plan, outcome.committed
        scope = f"load:{plan.target}"
        text = f"{rows_text(committed.rows_loaded)} in {outcome.seconds:.1f} s"
        if plan.cursor and committed.cursor_after is not None and not plan.cursor.only:
            text += f", cursor moves to {committed.cursor_after}"
        self._outcomes.append(outcome)
        self._reporter.progress(scope, committed.rows_loaded, committed.rows_loaded, force=True)
        self._reporter.log(text, level="ok", scope=scope)
        if committed.rows_rejected:
            self._reporter.warn(
                f"{rows_text(committed.rows_rejected)} put aside in _dlt_rejects.", scope=scope
            )
        self._reporter.result(succeeded(outcome, _now(), text))

    def _failed(self, resource: Resource, error: Exception, started: str) -> None:
        translated = without_paths(
            translate(error, f"Loading {resource.label}"), directories_of(self._spec)
        )
        if resource.label not in translated.message and resource.name not in translated.message:
            translated.message = f"{resource.label}: {translated.message}"
        self._failures.append(translated)
        self._reporter.log(translated.message, level="error", scope=f"load:{resource.target}")
        self._reporter.result(failed(resource, translated.message, started, _now()))

    def _raise_failures(self, tables: int) -> None:
        failures = self._failures
        if not failures:
            return
        if tables == 1:
            raise failures[0]
        # One lost connection is worth another attempt; what was committed is not loaded again.
        transient = any(getattr(error, "transient", False) for error in failures)
        kind: type[DatanikaError] = TransientError if transient else UserError
        named = " ".join(error.message for error in failures[:_NAMED])
        more = f" And {len(failures) - _NAMED} more." if len(failures) > _NAMED else ""
        error = kind(
            f"{len(failures)} of {tables} tables failed; the others were loaded. {named}{more}",
            field=failures[0].field,
            remedy=failures[0].remedy or "Correct what they name and run again.",
            detail=failures[0].detail,
        )
        error.signature = failures[0].signature
        error.end = failures[0].end if len({one.end for one in failures}) == 1 else ""
        error.code = (
            failures[0].code if len({one.code for one in failures}) == 1 else "tables_failed"
        )
        raise error


def _now() -> str:
    return datetime.now(UTC).isoformat()
