"""dbt's events while it builds → our log lines, progress and one result per model and test."""

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from dbt.contracts.graph.manifest import Manifest
from google.protobuf.json_format import MessageToDict

from transforms.engine.events import Reporter
from transforms.engine.failures import clean, explain
from transforms.engine.marks import mark_of
from transforms.engine.project import ProjectRows
from transforms.engine.warehouses import (
    LOOK_ERRORS,
    LOOK_SECONDS,
    SAMPLE_ROWS,
    Relation,
    Warehouse,
)

#: dbt's words for the end of a node → ours.
STATUS: Final = {
    "success": "succeeded",
    "pass": "succeeded",
    "no-op": "succeeded",
    "warn": "warned",
    "fail": "failed",
    "error": "failed",
    "partial success": "failed",
    "runtime error": "failed",
    "skipped": "skipped",
}
_LEVEL: Final = {"succeeded": "ok", "warned": "warn", "failed": "error", "skipped": "warn"}
#: Relations that hold rows; a view's rows are counted by whoever reads it.
_STORED: Final = ("table", "incremental")


@dataclass(frozen=True)
class Outcome:
    """How one node ended, for the summary and the final error."""

    kind: str
    name: str
    status: str
    message: str
    #: The mark of what failed, empty for the rest.
    signature: str = ""


@dataclass
class Harvest:
    """Collects the outcomes of one build. dbt's threads call ``on_event``, so it takes turns."""

    rows: ProjectRows
    manifest: Manifest
    reporter: Reporter
    #: What is known about built relations; None where we have no reader for this warehouse.
    warehouse: Warehouse | None
    total: int
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_event(self, event: Any) -> None:
        """dbt's callback. Only a few kinds of its hundreds of events say something to a person."""
        match event.info.name:
            case "NodeStart":
                data = MessageToDict(event.data, preserving_proto_field_name=True)
                self._started(data["node_info"]["unique_id"])
            case "NodeFinished":
                data = MessageToDict(event.data, preserving_proto_field_name=True)
                self._finished(data["node_info"], data["run_result"])
            case "JinjaLogInfo" | "JinjaLogWarning" | "AdapterEventWarning":
                level = "info" if event.info.level == "info" else "warn"
                self.reporter.log(event.info.msg, level=level)

    def finish(self, results: Iterable[Any]) -> None:
        """What dbt listed at the end without having announced it (a node skipped late, say)."""
        for result in results:
            uid = result.node.unique_id
            if uid not in self.outcomes:
                self._finished({"unique_id": uid}, result.to_msg_dict())

    def count(self, kind: str = "", *, status: str = "") -> int:
        return sum(
            1
            for outcome in self.outcomes.values()
            if (not kind or outcome.kind == kind) and (not status or outcome.status == status)
        )

    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes.values() if outcome.status == "failed"]

    def _started(self, uid: str) -> None:
        node = self.manifest.nodes.get(uid)
        if node is not None:
            verb = "Testing" if node.resource_type.value == "test" else "Building"
            self.reporter.log(f"{verb} {node.name}", level="debug", scope=_scope(node))

    def _finished(self, info: dict[str, Any], run: dict[str, Any]) -> None:
        uid = info["unique_id"]
        node = self.manifest.nodes.get(uid)
        if node is None:
            return
        with self._lock:
            if uid in self.outcomes:
                return
            result = self._result(node, info, run)
            failed = result["status"] == "failed"
            mark = mark_of(run["status"], run.get("message") or "") if failed else ""
            self.outcomes[uid] = Outcome(
                result["kind"], result["name"], result["status"], result["message"], mark
            )
            self.reporter.result(result)
            self.reporter.log(
                _line(node, result, run), level=_LEVEL[result["status"]], scope=_scope(node)
            )
            self.reporter.progress(len(self.outcomes), self.total)

    def _result(self, node: Any, info: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
        status = STATUS.get(run["status"], "failed")
        is_test = node.resource_type.value == "test"
        tested = self._tested(node) if is_test else ""
        result = {
            "kind": node.resource_type.value,
            "name": node.name,
            "status": status,
            "rows": None,
            "started_at": _moment(info.get("node_started_at"), run, "started_at"),
            "finished_at": _moment(info.get("node_finished_at"), run, "completed_at"),
            "message": self._message(node, status, run, tested),
            "failures": int(run.get("num_failures") or 0) if is_test else None,
            "model": tested,
            "column": (node.column_name or "") if is_test else "",
            "test_kind": node.test_metadata.name if is_test and node.test_metadata else "",
            "severity": str(node.config.severity).lower() if is_test else "",
            "compiled_sql": node.compiled_code or "",
            "columns": [],
            "samples": None,
        }
        if is_test and result["failures"] and status in ("failed", "warned"):
            result["samples"] = self._samples(node)
        if not is_test and status == "succeeded":
            self._look(node, run, result)
        return result

    def _tested(self, node: Any) -> str:
        attached = self.manifest.nodes.get(node.attached_node or "")
        return attached.name if attached is not None else ""

    def _message(self, node: Any, status: str, run: dict[str, Any], tested: str) -> str:
        message = run.get("message") or ""
        if status == "skipped":
            return self._why_skipped(node)
        if node.resource_type.value == "test" and run["status"] in ("fail", "warn", "pass"):
            failures = int(run.get("num_failures") or 0)
            words = "1 row fails" if failures == 1 else f"{failures:,} rows fail"
            return words if failures else ""
        if status == "failed":
            row = self.rows.transformation(tested or node.name)
            sql_is_theirs = node.resource_type.value == "model"
            return explain(message, row if sql_is_theirs else None, node.compiled_code).text
        return "" if message in ("OK", "SUCCESS") else clean(message)

    def _why_skipped(self, node: Any) -> str:
        """dbt only says "skipped"; the failed node above it is what a person looks for."""
        waiting, seen = list(node.depends_on.nodes), set()
        while waiting:
            uid = waiting.pop(0)
            if uid in seen:
                continue
            seen.add(uid)
            outcome = self.outcomes.get(uid)
            if outcome is not None and outcome.status == "failed":
                return f"Skipped because {outcome.name} failed."
            failing = self._failed_test_of(uid)
            if failing:
                return f"Skipped because the test {failing} failed."
            parent: Any = self.manifest.nodes.get(uid)
            waiting += parent.depends_on.nodes if parent is not None else []
        return "Skipped because something before it failed."

    def _failed_test_of(self, uid: str) -> str:
        for test, outcome in self.outcomes.items():
            if (outcome.kind, outcome.status) == ("test", "failed"):
                node: Any = self.manifest.nodes[test]
                if uid in node.depends_on.nodes:
                    return outcome.name
        return ""

    def _look(self, node: Any, run: dict[str, Any], result: dict[str, Any]) -> None:
        """Rows and columns of what was built. Nice to have: a failure here fails nothing."""
        if node.config.materialized == "table":
            affected: Any = (run.get("adapter_response") or {}).get("rows_affected")
            with suppress(TypeError, ValueError):
                result["rows"] = int(affected) if int(affected) >= 0 else None  # -1: not known
        if self.warehouse is None:
            return
        relation = Relation(node.schema, node.alias)
        with suppress(*LOOK_ERRORS):
            result["columns"] = self.warehouse.columns(relation)
            if result["rows"] is None and node.config.materialized in _STORED:
                result["rows"] = self.warehouse.count(relation)

    def _samples(self, node: Any) -> dict[str, Any] | None:
        if self.warehouse is None or not node.compiled_code:
            return None
        with suppress(*LOOK_ERRORS):
            rows = self.warehouse.head(node.compiled_code, limit=SAMPLE_ROWS, seconds=LOOK_SECONDS)
            return rows.as_value()
        return None


def _scope(node: Any) -> str:
    return f"{node.resource_type.value}:{node.name}"


def _line(node: Any, result: dict[str, Any], run: dict[str, Any]) -> str:
    name, status, message = result["name"], result["status"], result["message"]
    seconds = f"{float(run.get('execution_time') or 0):.1f} s"
    if status == "skipped":
        return f"{name}: {message}"
    if result["kind"] == "test":
        verdict = {"succeeded": "passed", "warned": "warns", "failed": "failed"}[status]
        return f"Test {name} {verdict}" + (f": {message}" if message else "") + f" ({seconds})"
    if status == "failed":
        return f"{name} failed: {message}"
    rows = "" if result["rows"] is None else f", {result['rows']:,} rows"
    return f"{name}: {node.config.materialized} built{rows} ({seconds})"


def _moment(text: str | None, run: dict[str, Any], edge: str) -> str:
    """dbt writes UTC without saying so."""
    if not text:
        edges = [timing.get(edge) for timing in run.get("timing_info") or () if timing.get(edge)]
        text = (edges[0] if edge == "started_at" else edges[-1]) if edges else None
    moment = datetime.fromisoformat(text.removesuffix("Z")) if text else datetime.now(UTC)
    return moment.replace(tzinfo=UTC).isoformat()
