"""dlt's postgres and duckdb destinations, with our commit in place of their load jobs.

dlt keeps packages, schema, state and load ids. The parts of a table are completed at once; when all are there, one job
commits the table. dlt's own tables and state files are loaded by dlt's own jobs.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import duckdb
import psycopg2
from dlt.common.destination.client import (
    FollowupJobRequest,
    HasFollowupJobs,
    LoadJob,
    RunnableLoadJob,
)
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.schema.typing import TSchemaTables
from dlt.common.storages.load_package import LoadJobInfo, ParsedLoadJobFileName
from dlt.destinations import duckdb as dlt_duckdb
from dlt.destinations import postgres as dlt_postgres
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.job_impl import FollowupJobRequestImpl

from pipelines.engine.endpoints import postgres_dsn
from pipelines.engine.jobs.duckdb import DuckDbWarehouse
from pipelines.engine.jobs.postgres import PostgresWarehouse

PART_FORMATS = ("csv", "parquet")

CommitCallback = Callable[[str, str, list[Path]], None]

#: Who commits, called with (load id, table, parts); the last is that of the package being loaded.
_committers: list[CommitCallback] = []


@contextmanager
def committing(callback: CommitCallback) -> Iterator[None]:
    """``callback`` commits the tables of the package that is loaded within."""
    _committers.append(callback)
    try:
        yield
    finally:
        _committers.pop()


class _CommitRequest(FollowupJobRequestImpl):
    """The job that commits a table, as dlt's loader queues it: a file without content."""

    def __init__(self, table: str) -> None:
        name = ParsedLoadJobFileName(table, ParsedLoadJobFileName.new_file_id(), 0, "sql")
        super().__init__(name.file_name())
        self._save_text_file("-- committed by the engine\n")


class _PartJob(RunnableLoadJob, HasFollowupJobs):
    """A part: nothing is done with it until all of the table are there."""

    def run(self) -> None: ...

    def run_managed(self, job_client: Any, done_event: Any, /) -> None:
        # Without a connection, but with the signal that it is done: the loader sleeps a second otherwise.
        self._done_event = done_event
        self._release("completed")


class _CommitJob(RunnableLoadJob):
    """All parts of a table, in one transaction."""

    def run(self) -> None:
        _committers[-1](self._load_id, self.load_table_name, self._parts())

    def _parts(self) -> list[Path]:
        """The completed parts, oldest first: the order in which the reader wrote them."""
        completed = Path(self._file_path).parent.parent / "completed_jobs"
        parts = [
            path
            for path in completed.iterdir()
            if path.suffix.lstrip(".") in PART_FORMATS
            and ParsedLoadJobFileName.parse(path.name).table_name == self.load_table_name
            and os.path.getsize(path)
        ]
        return sorted(parts, key=lambda path: (path.stat().st_mtime_ns, path.name))


class _CommitsTables:
    """Mixed into dlt's clients: tables of data belong to the engine, dlt's own tables to dlt."""

    schema: Any

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        parsed = ParsedLoadJobFileName.parse(file_path)
        if self._is_ours(parsed.table_name):
            if parsed.file_format == "sql":
                return _CommitJob(file_path)
            return _PartJob(file_path)
        return cast(
            LoadJob,
            super().create_load_job(table, file_path, load_id, restore),  # type: ignore[misc]
        )

    def create_table_chain_completed_followup_jobs(
        self,
        table_chain: Sequence[PreparedTableSchema],
        completed_table_chain_jobs: Sequence[LoadJobInfo] | None = None,
    ) -> list[FollowupJobRequest]:
        table = str(table_chain[0]["name"])
        jobs = completed_table_chain_jobs or ()
        # Called again when the commit itself is done; that must not queue another one.
        if not self._is_ours(table) or any(job.job_file_info.file_format == "sql" for job in jobs):
            return []
        return [_CommitRequest(table)]

    def should_load_data_to_staging_dataset(self, table_name: str) -> bool:
        return False

    def should_truncate_table_before_load(self, table_name: str) -> bool:
        return False

    def update_stored_schema(
        self,
        only_tables: Any = None,
        expected_update: TSchemaTables | None = None,
        force: bool = False,
    ) -> TSchemaTables | None:
        own = set(self.schema.dlt_table_names())
        return cast(
            "TSchemaTables | None",
            super().update_stored_schema(own, expected_update, force),  # type: ignore[misc]
        )

    def _is_ours(self, table: str) -> bool:
        return table not in self.schema.dlt_table_names()


class _SharedDuckDbSqlClient(DuckDbSqlClient):
    """Works on the connection the engine holds; DuckDB opens a file once in a process."""

    warehouse: DuckDbWarehouse

    def open_connection(self) -> "duckdb.DuckDBPyConnection":
        self._conn = self.warehouse.connection.cursor()
        return self._conn

    def close_connection(self) -> None:
        connection: Any = self._conn
        if connection is not None:
            connection.close()
            self._conn = cast(Any, None)


class _DsnPostgresSqlClient(Psycopg2SqlClient):
    """Dials the address the egress policy judged."""

    warehouse: PostgresWarehouse

    def open_connection(self) -> Any:
        self._conn = psycopg2.connect(dsn=postgres_dsn(self.warehouse.target))
        self._reset_connection()
        return self._conn


def duckdb_destination(warehouse: DuckDbWarehouse) -> Any:
    """dlt's duckdb destination on the connection of ``warehouse``."""

    class Client(_CommitsTables, DuckDbClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
            super().__init__(schema, config, capabilities)
            names = self.create_dataset_names(schema, config)
            self.sql_client = _SharedDuckDbSqlClient(*names, config.credentials, capabilities)
            self.sql_client.warehouse = warehouse

    class EngineDuckDb(dlt_duckdb):
        @property
        def client_class(self) -> type[DuckDbClient]:
            return Client

        def _raw_capabilities(self) -> Any:
            return _with_parts(super()._raw_capabilities())

    return EngineDuckDb(credentials=str(warehouse.path), destination_name="duckdb")


def postgres_destination(warehouse: PostgresWarehouse) -> Any:
    """dlt's postgres destination, connected as the engine connects."""

    class Client(_CommitsTables, PostgresClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
            super().__init__(schema, config, capabilities)
            names = self.create_dataset_names(schema, config)
            self.sql_client = _DsnPostgresSqlClient(*names, config.credentials, capabilities)
            self.sql_client.warehouse = warehouse

    class EnginePostgres(dlt_postgres):
        @property
        def client_class(self) -> type[PostgresClient]:
            return Client

        def _raw_capabilities(self) -> Any:
            return _with_parts(super()._raw_capabilities())

    return EnginePostgres(credentials=_placeholder(), destination_name="postgres")


def _with_parts(capabilities: Any) -> Any:
    formats = list(capabilities.supported_loader_file_formats)
    capabilities.supported_loader_file_formats = [
        *formats,
        *(f for f in PART_FORMATS if f not in formats),
    ]
    capabilities.loader_file_format_selector = None
    return capabilities


def _placeholder() -> PostgresCredentials:
    """dlt wants credentials to be complete; ours never pass through it."""
    credentials = PostgresCredentials()
    credentials.parse_native_representation("postgresql://engine:none@engine.invalid:5432/engine")
    return credentials
