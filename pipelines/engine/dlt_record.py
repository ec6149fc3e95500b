"""What dlt keeps in a destination: the schema, the state and the load, once a load, in dlt's own tables and forms.

So any dlt of the same version can attach to the dataset and read it. The rows themselves never pass through dlt.
"""

import json
from datetime import UTC, datetime
from typing import Any

from dlt.common.schema import Schema
from dlt.common.schema.utils import loads_table, new_table, pipeline_state_table, version_table
from dlt.common.versioned_state import (
    compress_state,
    decompress_state,
    default_versioned_state,
    generate_state_version_hash,
)
from dlt.pipeline.state_sync import PIPELINE_STATE_ENGINE_VERSION

from pipelines.engine.accounting import Outcome
from pipelines.engine.destinations.base import Destination
from pipelines.engine.destinations.sql import SqlDestination
from pipelines.engine.events import Reporter
from pipelines.engine.model import LOAD_ID_COLUMN, ColumnPlan
from pipelines.engine.types import hub

_TYPES = {
    "BOOLEAN": "bool",
    "FLOAT": "double",
    "DOUBLE": "double",
    "DATE": "date",
    "TIME": "time",
    "BLOB": "binary",
    "JSON": "json",
    hub.NUMERIC: "decimal",
}
#: Tables and columns have the names of the source, whatever dlt would make of them.
NAMES_AS_THEY_ARE: Any = {
    "names": "dlt.common.normalizers.naming.direct",
    "json": {"module": "dlt.common.normalizers.json.relational"},
}
_WORDS = {"bigint": "bigint", "timestamp": "moment"}


class Record:
    """dlt's side of one load."""

    def __init__(self, destination: Destination, load_id: str, reporter: Reporter) -> None:
        self._destination, self._load_id, self._reporter = destination, load_id, reporter
        self._is_prepared = False
        self.schema_hash = ""

    def prepare(self) -> None:
        """The dataset and every table of ours and dlt's, before the first rows of this load."""
        if self._is_prepared:
            return
        self._destination.prepare()
        found = self._destination
        if isinstance(found, SqlDestination):
            with found.transaction():
                for table in (version_table(), loads_table(), pipeline_state_table()):
                    _create(found, table)
        self._is_prepared = True

    def keep(self, outcomes: list[Outcome]) -> None:
        """The schema with these tables, the state with their cursors, and the load itself, in one transaction."""
        found = self._destination
        if not isinstance(found, SqlDestination):
            return
        self._reporter.debug("Keeping schema and state.", scope="state")
        with found.transaction():
            schema = self._schema(found)
            for outcome in outcomes:
                schema.update_table(_table(outcome))
            # Bumps version and hash where something changed.
            document = schema.to_dict()
            self.schema_hash = str(document["version_hash"])
            self._keep_schema(found, document)
            self._keep_state(found, outcomes)
            self._keep_load(found, schema.name)
        self._reporter.debug("Schema and state are kept.", scope="state")

    def _schema(self, found: SqlDestination) -> Schema:
        rows = found.query(
            f"SELECT {_names(found, 'schema')} FROM {found.table('_dlt_version')}"
            f" WHERE schema_name = {found.text(found.pipeline_name)} ORDER BY version DESC LIMIT 1"
        )
        if rows:
            return Schema.from_stored_schema(json.loads(rows[0][0]))
        return Schema(found.pipeline_name, normalizers=NAMES_AS_THEY_ARE)

    def _keep_schema(self, found: SqlDestination, document: Any) -> None:
        known = found.query(
            f"SELECT 1 FROM {found.table('_dlt_version')}"
            f" WHERE version_hash = {found.text(self.schema_hash)} LIMIT 1"
        )
        if known:
            return
        _insert(
            found,
            "_dlt_version",
            {
                "version": document["version"],
                "engine_version": document["engine_version"],
                "inserted_at": None,
                "schema_name": document["name"],
                "version_hash": self.schema_hash,
                "schema": json.dumps(document),
            },
        )

    def _keep_state(self, found: SqlDestination, outcomes: list[Outcome]) -> None:
        state = _state(found)
        resources = state.setdefault("sources", {}).setdefault(found.pipeline_name, {})
        resources = resources.setdefault("resources", {})
        for outcome in outcomes:
            if (cursor := outcome.plan.cursor) and outcome.committed.cursor_after is not None:
                value = {"column": cursor.column, "value": outcome.committed.cursor_after}
                resources.setdefault(outcome.plan.target, {})["cursor"] = value
        version_hash = generate_state_version_hash(state, exclude_attrs=["_local"])
        if version_hash == state.get("_version_hash"):
            return
        state["_version_hash"], state["_state_version"] = version_hash, state["_state_version"] + 1
        stored: Any = {key: value for key, value in state.items() if key != "_local"}
        _insert(
            found,
            "_dlt_pipeline_state",
            {
                "version": state["_state_version"],
                "engine_version": PIPELINE_STATE_ENGINE_VERSION,
                "pipeline_name": found.pipeline_name,
                "state": compress_state(stored),
                "created_at": None,
                "version_hash": version_hash,
                "_dlt_load_id": self._load_id,
                "_dlt_id": f"{self._load_id}-state",
            },
        )

    def _keep_load(self, found: SqlDestination, schema_name: str) -> None:
        loads, mine = found.table("_dlt_loads"), f"load_id = {found.text(self._load_id)}"
        found.run(f"DELETE FROM {loads} WHERE {mine}")
        _insert(
            found,
            "_dlt_loads",
            {
                "load_id": self._load_id,
                "schema_name": schema_name,
                "status": 0,
                "inserted_at": None,
                "schema_version_hash": self.schema_hash,
            },
        )


def _create(found: SqlDestination, table: Any) -> None:
    columns = {**table["columns"]}
    if table["name"] == "_dlt_pipeline_state":
        columns["_dlt_id"] = {"data_type": "text"}
    listed = ", ".join(
        f"{found.ident(name)} {found.words[_WORDS.get(column['data_type'], 'text')]}"
        for name, column in columns.items()
    )
    found.run(
        f"CREATE TABLE IF NOT EXISTS {found.table(table['name'])} ({listed})"
        + found.table_options()
    )


def _insert(found: SqlDestination, table: str, values: dict[str, Any]) -> None:
    """A row; None stands for now."""
    shown = [
        found.now()
        if value is None
        else str(value)
        if isinstance(value, int)
        else found.text(value)
        for value in values.values()
    ]
    found.run(
        f"INSERT INTO {found.table(table)} ({_names(found, *values)}) VALUES ({', '.join(shown)})"
    )


def _names(found: SqlDestination, *names: str) -> str:
    return ", ".join(found.ident(name) for name in names)


def _state(found: SqlDestination) -> Any:
    rows = found.query(
        f"SELECT state FROM {found.table('_dlt_pipeline_state')}"
        f" WHERE pipeline_name = {found.text(found.pipeline_name)} ORDER BY version DESC LIMIT 1"
    )
    if rows:
        return decompress_state(rows[0][0])
    state: dict[str, Any] = dict(default_versioned_state())
    return {
        **state,
        "_state_version": 0,
        "_state_engine_version": PIPELINE_STATE_ENGINE_VERSION,
        "pipeline_name": found.pipeline_name,
        "dataset_name": found.dataset,
        "default_schema_name": found.pipeline_name,
        "schema_names": [found.pipeline_name],
        "created_at": datetime.now(UTC).isoformat(),
    }


def _table(outcome: Outcome) -> Any:
    columns: list[Any] = [_column(column, outcome) for column in outcome.plan.kept]
    columns.append({"name": LOAD_ID_COLUMN, "data_type": "text", "nullable": True})
    return new_table(
        outcome.plan.target,
        write_disposition=outcome.plan.disposition,
        columns=columns,
        resource=outcome.plan.target,
    )


def _column(column: ColumnPlan, outcome: Outcome) -> dict[str, Any]:
    kind = _TYPES.get(column.hub, "text")
    if hub.is_whole(column.hub):
        kind = "bigint"
    elif column.hub.startswith("DECIMAL"):
        kind = "decimal"
    elif column.hub.startswith("TIMESTAMP"):
        kind = "timestamp"
    return {
        "name": column.name,
        "data_type": kind,
        "nullable": True,
        "primary_key": column.name in outcome.plan.primary_key,
        "x-type": column.type,
    }
