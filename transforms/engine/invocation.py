"""One dbt project in this child's private directory, and dbt called on it."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dbt.adapters.contracts.connection import ConnectionState
from dbt.adapters.factory import FACTORY
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.config import profile as dbt_profile
from dbt.contracts.graph.manifest import Manifest

from common.children.hooks import on_cancel
from connections.connectors.base import Target
from connections.connectors.registry import get_connector
from transforms.engine import hardening, locks
from transforms.engine.project import ProjectRows, render

PROFILE: Final = "datanika"
CACHE_FILE: Final = "partial_parse.msgpack"
#: dbt is bound by its own CPU work; more threads only wait for each other.
THREADS: Final = 4

#: A compile or preview shows the SQL of a first build and asks the warehouse nothing for it. Not part of the
#: project as its owner sees it; in every tree, so that building and compiling share one parse.
EXTRA_FILES: Final = {
    "macros/is_incremental.sql": "{% macro is_incremental() %}"
    "{{ return(flags.WHICH != 'compile' and dbt.is_incremental()) }}"
    "{% endmacro %}\n"
}


@dataclass(frozen=True)
class Workspace:
    """A rendered project. ``output`` is the dbt profile of the warehouse and holds its password."""

    rows: ProjectRows
    output: dict[str, Any]
    root: Path
    cache: Path | None

    @property
    def target(self) -> Path:
        return self.root / "target"

    def invoke(
        self,
        *arguments: str,
        manifest: Manifest | None = None,
        callback: Callable[[Any], None] | None = None,
    ) -> dbtRunnerResult:
        """Call dbt. What is no ``Exception`` (a cancellation) is raised, not returned."""
        # In place of a file: the warehouse's password must not lie on the disk, not even for a moment.
        dbt_profile.read_profile = self._profile  # type: ignore[assignment]
        runner = dbtRunner(manifest=manifest, callbacks=[callback] if callback else [])
        result = runner.invoke([*arguments, *self._options()])
        if result.exception is not None and not isinstance(result.exception, Exception):
            raise result.exception
        return result

    def _profile(self, _directory: str) -> dict[str, Any]:
        return {PROFILE: {"target": PROFILE, "outputs": {PROFILE: dict(self.output)}}}

    def _options(self) -> list[str]:
        return [
            *("--project-dir", str(self.root / "project")),
            *("--profiles-dir", str(self.root / "project")),
            *("--target-path", str(self.target)),
            *("--log-path", str(self.root / "logs")),
            *("--log-level", "none", "--log-level-file", "none"),
            *("--no-use-colors", "--no-version-check", "--no-send-anonymous-usage-stats"),
        ]


def open_workspace(spec: dict[str, Any], rows: ProjectRows, *, read_only: bool) -> Workspace:
    """Render the project below the child's private directory, and close this process for its code."""
    # The connector may import a driver that reads its environment: ask it before that is emptied.
    output, environment = _endpoint(spec)
    hardening.apply(environment, read_only=read_only)
    locks.use_thread_locks()
    cache = Path(spec["cache_dir"]) / CACHE_FILE if spec.get("cache_dir") else None
    workspace = write_workspace(rows, output, Path(spec["private_dir"]) / "dbt", cache)
    on_cancel(_cancel_queries)
    return workspace


def write_workspace(
    rows: ProjectRows, output: dict[str, Any], root: Path, cache: Path | None
) -> Workspace:
    """Write the project and what was kept of its last parse below ``root``."""
    for path, text in {**render(rows, PROFILE), **EXTRA_FILES}.items():
        _write(root / "project" / path, text)
    workspace = Workspace(rows, output, root, cache)
    workspace.target.mkdir()
    if cache is not None:
        with suppress(FileNotFoundError):
            # With its time of change: keep_cache sees by it whether dbt wrote a new one.
            shutil.copy2(cache, workspace.target / CACHE_FILE)
    return workspace


def keep_cache(workspace: Workspace) -> None:
    """Keep what dbt parsed for the next call. Atomic, because two children may end at the same moment."""
    parsed = workspace.target / CACHE_FILE
    if workspace.cache is None or not parsed.exists() or _unchanged(parsed, workspace.cache):
        return
    workspace.cache.parent.mkdir(parents=True, exist_ok=True)
    passing = workspace.cache.with_name(f".{workspace.cache.name}.{os.getpid()}")
    shutil.copy2(parsed, passing)
    passing.replace(workspace.cache)


def _unchanged(parsed: Path, cache: Path) -> bool:
    return cache.exists() and cache.stat().st_mtime_ns == parsed.stat().st_mtime_ns


def _endpoint(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The warehouse's dbt output, and the environment its driver needs."""
    target = Target.from_spec(spec, "warehouse")
    connector = get_connector(target.connector)
    threads = int(spec.get("limits", {}).get("threads", THREADS))
    output = connector.dbt_profile(target, schema=spec["schema"], threads=threads)
    return hardening.harden_profile(output), connector.driver_environment(target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # 0600 from the first byte: SQL may say more than others should read.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _cancel_queries() -> None:
    """Runs in a thread without a connection of its own, where dbt's way of cancelling PostgreSQL does not work."""
    adapters: list[Any] = list(FACTORY.adapters.values())
    for adapter in adapters:
        for connection in list(adapter.connections.thread_connections.values()):
            if connection.state != ConnectionState.OPEN:
                continue
            cancel = getattr(connection.handle, "cancel", None)
            if cancel is not None:
                cancel()
            else:
                adapter.connections.cancel(connection)
