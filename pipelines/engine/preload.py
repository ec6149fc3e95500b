"""For the list of what a warm parent imports: the engine with all it may need, used once, so that each fork starts so.

A load of one row spends most of its time on imports, on dlt's first look at its configuration and on extensions of
DuckDB, whose files are read and checked whole. None of it opens a connection or leaves a thread.
"""

import pkgutil
from importlib import import_module
from types import ModuleType

import psycopg.pq
from dlt.common.schema import Schema
from dlt.common.schema.utils import new_table

from connections import connectors
from connections.connectors import duckdb_support
from pipelines.engine import destinations, dlt_record, main, readers, types

__all__ = ["main"]

#: What the loads of most pipelines ask for; the driver of MySQL is large and loaded where it is needed.
_EXTENSIONS = ("sqlite", "postgres", "json")


def warm() -> None:
    for package in (connectors, readers, destinations, types):
        _import_all(package)
    schema = Schema("warm", normalizers=dlt_record.NAMES_AS_THEY_ARE)
    schema.update_table(new_table("one", columns=[{"name": "id", "data_type": "bigint"}]))
    schema.to_dict()
    psycopg.pq.Conninfo.get_defaults()
    duckdb_support.prepare_before_fork(_EXTENSIONS)


def _import_all(package: ModuleType) -> None:
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        import_module(found.name)


warm()
