"""What every connector owes: a form, capabilities as data, a staged check, discovery, and a dbt
profile.

A connector's file is shared by two sides. The Django side uses ``form_class`` and the constants.
``check``, ``discover``, ``describe`` and ``sample`` run only in a child process (``operations.py``)
and import the vendor's driver at that moment.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from django import forms

from common.errors import UserError


class Category(StrEnum):
    """The groups of the connection gallery, in their order there."""

    DATABASE = "Databases"
    WAREHOUSE = "Warehouses"
    FILES = "Files"


@dataclass(frozen=True)
class Capabilities:
    """What a connector was proven to do. Pages and the planner read this, never the key."""

    source: bool = False
    destination: bool = False
    #: dbt can build in it.
    dbt: bool = False
    #: Resources are files below a directory, not tables in schemas.
    files: bool = False
    #: Only one process may write at a time (DuckDB, SQLite): runs that write queue up.
    single_writer: bool = False
    #: Others may read while one writes; a reader needs none of its places.
    shared_reading: bool = False
    #: A SELECT statement can stand in place of a table.
    query: bool = False
    #: The connection is a local file or directory, not a server.
    local: bool = False
    write_dispositions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Target:
    """One configured endpoint as a child sees it, with the policy it has to respect."""

    connector: str
    config: dict[str, Any]
    secrets: dict[str, str]
    files_root: Path
    allowed_roots: tuple[Path, ...] = ()
    egress: str = "private-allowed"
    #: A directory of this child alone, for files a driver wants on disk (a CA certificate).
    private_dir: Path | None = None

    @classmethod
    def from_spec(cls, spec: dict[str, Any], key: str = "endpoint") -> "Target":
        endpoint = spec[key]
        return cls(
            connector=endpoint["connector"],
            config=endpoint["config"],
            secrets=endpoint["secrets"],
            files_root=Path(spec["files_root"]),
            allowed_roots=tuple(Path(root) for root in spec.get("allowed_roots", ())),
            egress=spec.get("egress", "private-allowed"),
            private_dir=Path(spec["private_dir"]) if spec.get("private_dir") else None,
        )


class StageStatus(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Stage:
    """One line of a connection check, in the order tried; a failed one ends the check."""

    name: str
    status: StageStatus
    text: str
    detail: str = ""
    remedy: str = ""
    ms: int = 0

    def as_event(self) -> dict[str, Any]:
        return {"event": "stage", **asdict(self)}


@dataclass(frozen=True)
class Column:
    """A column as the source declares it. ``type`` is the source's own word for the type."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A table, view or file. ``columns`` and ``primary_key`` are filled by ``describe`` only."""

    schema: str
    name: str
    kind: str = "table"
    #: The system's own estimate; None where it has none.
    rows: int | None = None
    columns: tuple[Column, ...] = ()
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True)
class CatalogPage:
    """One page of ``discover``; ``next`` is the ``after`` of the page behind, None at the end."""

    tables: tuple[Table, ...] = ()
    schemas: tuple[str, ...] = ()
    next: str | None = None


@dataclass(frozen=True)
class Sample:
    """Some rows as text (None is NULL), and how many rows the filters keep.

    ``exact``: ``kept`` of ``total`` rows. Else, where the whole table took too long, ``kept`` of the
    first ``sampled`` rows; all three are None where not even those could be counted, or where
    nothing is filtered.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    kept: int | None = None
    total: int | None = None
    exact: bool = False
    sampled: int | None = None
    #: The columns' types in the system's own words; for queries only, which nobody has described.
    types: tuple[str, ...] = ()


class ConnectorForm(forms.Form):
    """Base of every connector's form: the same form renders the page and validates the API's JSON.

    Fields named in ``secret_fields`` are write-only: stored encrypted, never rendered back; left
    empty on an edit they keep the stored value. ``sections`` groups fields for the page as
    (heading, field names). ``spans`` gives a field's width in sixths of the form ("f-3" is a half).
    """

    secret_fields: ClassVar[frozenset[str]] = frozenset()
    sections: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    spans: ClassVar[dict[str, str]] = {}


@dataclass(frozen=True)
class Help:
    """The help card beside the form: one sentence and, where it serves, something to copy."""

    title: str = ""
    text: str = ""
    code: str = ""


class Connector(ABC):
    """One type of system. Stateless: every method takes the target."""

    key: ClassVar[str]
    label: ClassVar[str]
    category: ClassVar[Category]
    #: One sentence for the gallery and the form's head ("Version 12 or later, also …").
    description: ClassVar[str]
    #: Letters of the tile, at most three; our own lettering, no third-party logo.
    tile: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    form_class: ClassVar[type[ConnectorForm]]
    help: ClassVar[Help] = Help()

    @abstractmethod
    def address(self, config: dict[str, Any]) -> str:
        """A one-line address without secrets, for lists ("db.example.com:5432/shop")."""

    @abstractmethod
    def check(self, target: Target, role: str) -> Iterator[Stage]:
        """Try the connection stage by stage; never raises for what the other system says."""

    @abstractmethod
    def discover(
        self, target: Target, *, search: str, schema: str, after: str, limit: int
    ) -> CatalogPage:
        """Schemas and tables (or files), sorted, at most ``limit``, after the key ``after``."""

    @abstractmethod
    def describe(self, target: Target, *, schema: str, table: str) -> Table:
        """Columns and primary key of one table. ``NotFound`` for a table that is not there."""

    @abstractmethod
    def sample(
        self,
        target: Target,
        *,
        schema: str,
        table: str,
        columns: list[str] | None,
        filters: list[dict[str, Any]],
        limit: int,
    ) -> Sample:
        """At most ``limit`` rows that pass the filters (docs/filters.md), and how many do; with
        ``limit`` 0 only the count. Bounded in time, read-only.
        """

    def describe_query(self, target: Target, query: str) -> Table:
        """The columns that a SELECT statement answers with; only where ``capabilities.query``.

        Bounded in time and read-only, like ``sample_query``. What the system says against the
        statement is a ``UserError`` of the field ``query``.
        """
        raise self._takes_no_query()

    def sample_query(
        self,
        target: Target,
        query: str,
        *,
        columns: list[str] | None,
        filters: list[dict[str, Any]],
        limit: int,
    ) -> Sample:
        """As ``sample``, of what the statement answers with."""
        raise self._takes_no_query()

    def _takes_no_query(self) -> UserError:
        return UserError(
            f"{self.label} takes no SQL query.",
            field="query",
            remedy="Choose tables, or a connection to a database.",
        )

    def driver_environment(self, target: Target) -> dict[str, str]:
        """Environment variables a vendor's driver needs in a child that cannot be given them
        otherwise.

        Set them before the first connection of ``dbt_profile`` is opened: they pin the address that
        the egress policy judged.
        """
        return {}

    def end_lost_sessions(self, target: Target) -> None:  # noqa: B027, most have none
        """End what an earlier attempt at this step left open on the server: it holds locks."""

    def dbt_profile(self, target: Target, *, schema: str, threads: int) -> dict[str, Any]:
        """The dbt output (``type: …``) of this endpoint; only where ``capabilities.dbt``."""
        raise UserError(
            f"dbt does not build in {self.label}.", remedy="Choose a warehouse connection."
        )
