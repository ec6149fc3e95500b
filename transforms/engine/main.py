"""What a child runs of dbt: ``build``, ``compile`` and ``preview`` (docs/architecture.md, entry points)."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from dbt.cli.main import dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt.version import __version__ as dbt_version

from common.errors import DatanikaError, TransientError, UserError
from connections.connectors.attempts import take_over
from transforms.engine import warehouses
from transforms.engine.events import Emit, Reporter
from transforms.engine.failures import (
    CompileFailed,
    NothingSelected,
    SqlFailed,
    TestFailed,
    TransformFailed,
    explain,
    explain_parse,
    place,
    position_in,
)
from transforms.engine.hardening import close_duckdb
from transforms.engine.harvest import Harvest
from transforms.engine.invocation import Workspace, keep_cache, open_workspace
from transforms.engine.project import ProjectRows, TransformationRow

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


def build(spec: dict[str, Any], emit: Emit) -> None:
    """Build the selected transformations and run their tests, in dbt's order."""
    reporter = Reporter(emit)
    with _errors_as_events(reporter):
        started = time.monotonic()
        rows = ProjectRows.from_spec(spec["project"])
        names = _selected(rows, spec["select"])
        take_over(spec, "warehouse")
        workspace = open_workspace(spec, rows, read_only=False)
        beside = warehouses.open_for_build(workspace.output)
        try:
            manifest = _parse(workspace)
            reporter.log(f"dbt {dbt_version}: {len(names)} of {len(rows.transformations)} selected")
            harvest = _build(workspace, manifest, names, spec, reporter, beside)
            _report_failures(harvest, beside)
        finally:
            if beside is not None:
                beside.close()
            close_duckdb()
        reporter.done(_summary(harvest, manifest, time.monotonic() - started))


def compile(spec: dict[str, Any], emit: Emit) -> None:  # noqa: A001, the entry's name
    """The SQL that dbt makes of a transformation's text, saved or not. Nothing is executed."""
    reporter = Reporter(emit)
    with _errors_as_events(reporter):
        started = time.monotonic()
        _workspace, sql = _compile(spec)
        ms = _ms(started)
        reporter.data({"name": spec["name"], "compiled_sql": sql, "ms": ms})
        reporter.done({"ms": ms, "dbt_version": dbt_version})


def preview(spec: dict[str, Any], emit: Emit) -> None:
    """The first rows that a transformation's text, saved or not, gives; read-only."""
    reporter = Reporter(emit)
    with _errors_as_events(reporter):
        started = time.monotonic()
        workspace, sql = _compile(spec)
        limit = max(1, min(int(spec.get("limit") or DEFAULT_LIMIT), MAX_LIMIT))
        reader = warehouses.open_for_preview(workspace.output)
        try:
            rows = reader.head(sql, limit=limit, seconds=_preview_seconds(spec))
        except warehouses.QueryFailed as error:
            raise _in_their_sql(error, workspace.rows, spec["name"], sql) from error
        finally:
            reader.close()
        ms = _ms(started)
        reporter.data(
            {**rows.as_value(), "row_count": len(rows.rows), "compiled_sql": sql, "ms": ms}
        )
        reporter.done({"ms": ms, "dbt_version": dbt_version})


@contextmanager
def _errors_as_events(reporter: Reporter) -> Iterator[None]:
    try:
        yield
    except DatanikaError as error:
        reporter.error(error)


def _selected(rows: ProjectRows, select: list[str]) -> list[str]:
    unknown = [name for name in select if rows.transformation(name) is None]
    if unknown:
        raise NothingSelected(
            f"There is no transformation {', '.join(unknown)} in this project.",
            field="select",
            remedy="It may have been renamed or deleted since the run was requested.",
        )
    if not select:
        raise NothingSelected("No transformation is selected.", field="select")
    return list(dict.fromkeys(select))


def _parse(workspace: Workspace) -> Manifest:
    result = workspace.invoke("parse", "--no-write-json")
    if result.exception is not None:
        raise explain_parse(result.exception, workspace.rows) from result.exception
    if not isinstance(result.result, Manifest):
        raise DatanikaError("dbt parsed the project without giving a manifest.")
    keep_cache(workspace)
    return result.result


def _build(
    workspace: Workspace,
    manifest: Manifest,
    names: list[str],
    spec: dict[str, Any],
    reporter: Reporter,
    beside: warehouses.Warehouse | None,
) -> Harvest:
    wanted = _nodes(manifest, names)
    runnable = [node for node in wanted if not node.is_ephemeral_model]
    harvest = Harvest(workspace.rows, manifest, reporter, beside, len(runnable))
    _note_unbuilt(workspace.rows, manifest, names, wanted, reporter)
    if not runnable:
        return harvest
    # Every node by its own name and none by kinship: a test that also reads a model outside
    # the selection belongs to the selection all the same, one of such a model does not.
    selection = [f"fqn:{'.'.join(node.fqn)}" for node in runnable]
    options = ["--full-refresh"] if spec.get("full_refresh") else []
    result = workspace.invoke(
        "build",
        *("--select", *selection, "--indirect-selection", "empty"),
        *("--cache-selected-only", "--no-write-json", *options),
        manifest=manifest,
        callback=harvest.on_event,
    )
    harvest.finish(_results(result, workspace))
    return harvest


def _nodes(manifest: Manifest, names: list[str]) -> list[Any]:
    """The models of those names and the tests attached to them."""
    nodes: list[Any] = list(manifest.nodes.values())
    models = {
        node.unique_id: node
        for node in nodes
        if node.resource_type.value == "model" and node.name in names
    }
    tests = [
        node
        for node in nodes
        if node.resource_type.value == "test" and node.attached_node in models
    ]
    return [*models.values(), *tests]


def _note_unbuilt(
    rows: ProjectRows, manifest: Manifest, names: list[str], wanted: list[Any], reporter: Reporter
) -> None:
    """A result for what is selected and leads to no relation, so that no step waits for one."""
    nodes = {node.name: node for node in wanted if node.resource_type.value == "model"}
    disabled = [name for name in names if name not in nodes]
    if disabled and len(disabled) == len(names):
        raise NothingSelected(
            f"Every selected transformation is disabled: {', '.join(disabled)}.",
            field="select",
            remedy="Remove enabled=false from its configuration.",
        )
    for name in names:
        if name in disabled:
            _note(reporter, name, "skipped", "Disabled by its own configuration.")
        elif nodes[name].is_ephemeral_model:
            note = "Ephemeral: it becomes part of the transformations that use it."
            _note(reporter, name, "succeeded", note)


def _note(reporter: Reporter, name: str, status: str, message: str) -> None:
    reporter.log(f"{name}: {message}", scope=f"model:{name}")
    reporter.result(
        {
            "kind": "model",
            "name": name,
            "status": status,
            "rows": None,
            "message": message,
            "started_at": None,
            "finished_at": None,
            "failures": None,
            "model": "",
            "column": "",
            "test_kind": "",
            "severity": "",
            "compiled_sql": "",
            "columns": [],
            "samples": None,
        }
    )


def _results(result: dbtRunnerResult, workspace: Workspace) -> list[Any]:
    """What became of the nodes. An exception means dbt gave up before or between them."""
    error = result.exception
    if error is not None:
        problem = warehouses.connection_problem(error) or explain_parse(error, workspace.rows)
        raise problem from error
    finished: Any = result.result
    return list(finished.results)


def _report_failures(harvest: Harvest, beside: warehouses.Warehouse | None) -> None:
    failed = harvest.failed()
    if not failed:
        return
    if beside is not None and not beside.alive():
        raise TransientError(
            "The warehouse went away while dbt was building.", detail=failed[0].message
        )
    models = [outcome for outcome in failed if outcome.kind != "test"]
    shown = (models or failed)[:3]
    words = "; ".join(f"{o.name} ({o.message})" if o.message else o.name for o in shown)
    more = f" and {len(failed) - len(shown)} more" if len(failed) > len(shown) else ""
    skipped = harvest.count(status="skipped")
    behind = f" Skipped behind it: {skipped}." if skipped else ""
    error: UserError
    if models:
        error = TransformFailed(
            f"Failed: {words}{more}.{behind}", remedy="Correct the SQL and run it again."
        )
    else:
        error = TestFailed(
            f"Tests failed: {words}{more}.{behind}",
            remedy="Look at the failing rows, or give the test the severity warn.",
        )
    error.signature = shown[0].signature
    raise error


def _summary(harvest: Harvest, manifest: Manifest, seconds: float) -> dict[str, Any]:
    return {
        "models": harvest.count("model"),
        "tests": harvest.count("test"),
        "warned": harvest.count(status="warned"),
        "failed": harvest.count(status="failed"),
        "skipped": harvest.count(status="skipped"),
        "seconds": round(seconds, 3),
        "dbt_version": dbt_version,
        "manifest_hash": _manifest_hash(manifest),
    }


def _manifest_hash(manifest: Manifest) -> str:
    """One value for what was built: the text and configuration of every node, in a fixed order."""
    nodes = {uid: [node.raw_code, node.config.to_dict()] for uid, node in manifest.nodes.items()}
    text = json.dumps(nodes, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _compile(spec: dict[str, Any]) -> tuple[Workspace, str]:
    rows = _with_text(ProjectRows.from_spec(spec["project"]), spec)
    name = spec["name"]
    workspace = open_workspace(spec, rows, read_only=True)
    manifest = _parse(workspace)
    nodes = [node for node in _nodes(manifest, [name]) if node.name == name]
    if not nodes:
        raise CompileFailed(f"{name} is disabled by its own configuration.", name=name)
    result = workspace.invoke(
        *("compile", "--select", f"fqn:{'.'.join(nodes[0].fqn)}", "--indirect-selection", "empty"),
        *("--no-populate-cache", "--no-write-json", "--quiet"),
        manifest=manifest,
    )
    done = _results(result, workspace)[0]
    if done.node.compiled_code is None or done.status == "error":
        row = rows.transformation(name)
        explanation = explain(done.message or "", row, None)
        raise CompileFailed(f"{name}: {explanation.text}", name=name, line=explanation.line)
    return workspace, done.node.compiled_code.strip().rstrip(";").rstrip()


def _with_text(rows: ProjectRows, spec: dict[str, Any]) -> ProjectRows:
    """The project with the unsaved text in it; ``sql`` left out means the saved text."""
    name, sql = spec["name"], spec.get("sql")
    row = rows.transformation(name)
    if sql is None:
        if row is None:
            raise NothingSelected(f"There is no transformation {name}.", field="name")
        return rows
    if row is None:
        return replace(rows, transformations=(*rows.transformations, TransformationRow(name, sql)))
    changed = replace(row, sql=sql)
    return replace(
        rows, transformations=tuple(changed if r is row else r for r in rows.transformations)
    )


def _preview_seconds(spec: dict[str, Any]) -> int:
    wanted = int(spec.get("limits", {}).get("preview_seconds") or warehouses.PREVIEW_SECONDS)
    return max(1, min(wanted, warehouses.PREVIEW_SECONDS))


def _in_their_sql(
    error: warehouses.QueryFailed, rows: ProjectRows, name: str, compiled: str
) -> UserError:
    row = rows.transformation(name)
    line, column = position_in(row.sql if row else "", compiled, error.position)
    words = f"{name}: {place(line, column)}{error.message}"
    return SqlFailed(words, name=name, line=line, column=column)


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
