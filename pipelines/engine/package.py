"""dlt for one table: a package extracted, normalized and loaded, or finished when an earlier attempt was lost."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.storages.load_package import load_package_state
from dlt.extract import DltResource
from dlt.extract.exceptions import ResourceExtractionError
from dlt.pipeline import trace
from dlt.pipeline.exceptions import PipelineStepFailed

from pipelines.engine.dlt_destinations import CommitCallback, committing
from pipelines.engine.events import Reporter
from pipelines.engine.model import LOAD_ID_COLUMN, TablePlan
from pipelines.engine.readers.base import Part
from pipelines.engine.warehouse import Warehouse

#: All of dlt's configuration. It reads no file and no variable of this machine.
_CONFIG: dict[str, Any] = {
    "runtime": {
        "dlthub_telemetry": False,
        "log_level": "WARNING",
        "intercept_signals": False,
        "sentry_dsn": None,
        "slack_incoming_hook": None,
    },
    "schema": {"naming": "direct"},
    "extract": {"next_item_mode": "fifo", "workers": 1},
    "normalize": {
        "workers": 1,
        "data_writer": {"disable_compression": True},
        "start_method": "spawn",
    },
    "load": {
        "workers": 1,
        "raise_on_max_retries": 1,
        "raise_on_failed_jobs": True,
        "delete_completed_jobs": True,
    },
    "restore_from_destination": True,
    "pipelines": {},
}


class Packages:
    """dlt's packages of one pipeline, in a durable directory of its own."""

    def __init__(self, work_dir: Path, warehouse: Warehouse, reporter: Reporter) -> None:
        self._directory = work_dir / "dlt"
        self._warehouse = warehouse
        _configure(work_dir, reporter)
        self._pipeline: Any = self._open()

    @property
    def schema_hash(self) -> str:
        name = self._pipeline.default_schema_name
        return str(self._pipeline.schemas[name].version_hash) if name else ""

    def restore(self) -> None:
        """Take schema and state from the destination when this directory has none (a lost disk, another machine)."""
        if self._pipeline.first_run:
            self._pipeline.sync_destination()

    def pending(self) -> list[str]:
        """Load ids of packages that were extracted but not loaded to the end."""
        extracted = self._pipeline.list_extracted_load_packages()
        return sorted({*extracted, *self._pipeline.list_normalized_load_packages()})

    def discard(self) -> None:
        """Forget packages and local state; the destination has what was committed."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._pipeline = self._open()

    def extract(self, plan: TablePlan, parts: Callable[[str], Iterator[Part]]) -> bool:
        """Run the reader into a new package. Answers whether there is one to load."""
        name = self._pipeline.default_schema_name
        if name and plan.write == "replace":
            # The new table has the columns of this plan; what is left of older ones would say otherwise.
            self._pipeline.schemas[name].tables.pop(plan.target, None)
        try:
            self._pipeline.extract(_resource(plan, parts))
        except PipelineStepFailed as error:
            raise _cause(error) from error
        return bool(self._pipeline.list_extracted_load_packages())

    def load(self, commit: CommitCallback) -> None:
        """Normalize and load everything pending; each table is handed to ``commit`` once its parts are ready."""
        failure: list[BaseException] = []

        def guarded(load_id: str, table: str, parts: list[Path]) -> None:
            try:
                commit(load_id, table, parts)
            except BaseException as error:
                # dlt wraps what a job raises in text; the original says more.
                failure.append(error)
                raise

        try:
            with self._warehouse.opened(), committing(guarded):
                self._pipeline.normalize()
                self._pipeline.load(workers=1)
        except PipelineStepFailed as error:
            raise (failure[0] if failure else _cause(error)) from error

    def _open(self) -> "dlt.Pipeline":
        create: Any = dlt.pipeline
        pipeline: dlt.Pipeline = create(
            pipeline_name=self._warehouse.pipeline_name,
            pipelines_dir=str(self._directory),
            destination=self._warehouse.dlt_destination(),
            dataset_name=self._warehouse.dataset,
        )
        return pipeline


def _resource(plan: TablePlan, parts: Callable[[str], Iterator[Part]]) -> DltResource:
    def rows() -> Iterator[Any]:
        load_id = load_package_state()["load_id"]
        for part in parts(load_id):
            file_format = part.path.suffix.lstrip(".")
            yield dlt.mark.with_file_import(str(part.path), file_format, part.rows)  # type: ignore[arg-type]

    columns: list[Any] = [
        {"name": column.name, "data_type": column.dlt, "nullable": True, "x-type": column.type}
        for column in plan.columns
    ]
    columns.append({"name": LOAD_ID_COLUMN, "data_type": "text", "nullable": True})
    return dlt.resource(
        rows,
        name=plan.target,
        table_name=plan.target,
        write_disposition=plan.disposition,
        primary_key=list(plan.primary_key),
        columns=columns,
    )


def remember(cursor: dict[str, str | None]) -> None:
    """Keep the cursor in dlt's resource state too; within the resource only."""
    dlt.current.resource_state()["cursor"] = cursor


def _cause(error: BaseException) -> BaseException:
    """What really happened below dlt's wrappers."""
    inner: BaseException = error
    while isinstance(inner, (PipelineStepFailed, ResourceExtractionError)):
        following = inner.__cause__ or inner.__context__
        if following is None:
            return inner
        inner = following
    return inner


def _configure(work_dir: Path, reporter: Reporter) -> None:
    os.environ["DLT_DATA_DIR"] = os.environ["DLT_PROJECT_DIR"] = str(work_dir)
    context = Container()[PluggableRunContext]
    provider = CustomLoaderDocProvider("engine", lambda: _CONFIG)
    context.providers = ConfigProvidersContainer([provider])
    context.context.reset_config()
    context.initialize_runtime()
    # dlt's own trackers would report to nobody, and fail into the log with a path of this machine.
    trace.TRACKING_MODULES = []
    logger = logging.getLogger("dlt")
    logger.handlers = [_DebugEvents(reporter)]
    logger.propagate = False


class _DebugEvents(logging.Handler):
    """dlt's warnings, for who looks closely; what matters is said by the engine itself."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        self._reporter.debug(record.getMessage()[:500], scope="dlt")
