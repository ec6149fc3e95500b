"""From the words of PostgreSQL, DuckDB, SQLite and the operating system to one sentence of ours.

The decision rests on SQLSTATE and exception classes. Only where libpq gives neither (a connection that was never made)
the text is looked at.
"""

import errno
import re
import sqlite3
from collections.abc import Sequence
from difflib import get_close_matches

import duckdb
import psycopg

from common.errors import DatanikaError, TransientError, UserError
from common.signatures import signature_of, signature_of_class


class DiskFull(UserError):
    """There is no space left on the disk."""

    code = "disk_full"


class MemoryLimit(UserError):
    """The load needs more memory than its limit."""

    code = "memory_limit"


class AuthenticationFailed(UserError):
    """The other system does not accept the user name and password."""

    code = "authentication_failed"


class PermissionMissing(UserError):
    """The other system does not let this user do that."""

    code = "permission_missing"


class MissingTable(UserError):
    """The table is not at the source."""

    code = "missing_table"


class MissingColumn(UserError):
    """The column is not in the table."""

    code = "missing_column"


class MissingKey(UserError):
    """A merge needs a primary key."""

    code = "missing_key"


class BadFilter(UserError):
    """The filter does not fit the column."""

    code = "bad_filter"


class BadData(UserError):
    """A value does not fit its column."""

    code = "bad_data"


class RaggedFile(UserError):
    """A row of the file has another number of fields than its header."""

    code = "ragged_file"


class TypeConflict(UserError):
    """The column has another type in the destination."""

    code = "type_conflict"


class NothingToReplay(UserError):
    """There are no refused rows."""

    code = "nothing_to_replay"


class SchemaFrozen(UserError):
    """The schema contract forbids the change."""

    code = "schema_frozen"


class TableLeftOut(Exception):
    """The schema contract wants no new table; nothing is loaded, and that is no failure. Never leaves the engine."""


class Unconvertible(Exception):
    """A value does not convert; read again, looking at each row. Never leaves the engine."""


class TooNarrow(Exception):
    """Columns whose refused values their contract would rather have as text. Never leaves the engine."""

    def __init__(self, columns: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(columns)))
        self.columns = columns


class TypesChanged(Exception):
    """The rows do not keep to the types the reader took for granted; describe the table again, then read it again.

    Never leaves the engine.
    """


class FilesMoved(TypesChanged):
    """Files that were listed are not there any more: a replace has swapped their directory. List them again."""


class CountMismatch(DatanikaError):
    """The rows written are not the rows read; nothing was kept of this table."""

    code = "count_mismatch"


#: Connection lost or refused, server starting or stopping, too many connections, serialization, lock not available.
_TRANSIENT_CLASSES = ("08",)
_TRANSIENT_STATES = frozenset(
    {"40001", "40P01", "53300", "55P03", "57P01", "57P02", "57P03", "57P05"}
)
#: A server that went away while DuckDB was reading from it or writing to it.
LOST_MARKS = frozenset(
    {"mysql:1927", "mysql:2006", "mysql:2013", "mysql:4031", "sqlstate:08006", "sqlstate:57P01"}
)
_HELD = re.compile(r"held in \S+(?: \(PID \d+\))?(?: by user \S+)?")
_LOOK = "Its own words are in the detail; correct what they name and run again."
_REFUSED_LOGIN = (
    "authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "role ",
    "permission denied",
)


def near(name: str, candidates: Sequence[str]) -> str:
    """A remedy that names the closest candidates ("Did you mean updated_at?")."""
    lowered = {candidate.lower(): candidate for candidate in candidates}
    matches = [
        lowered[match] for match in get_close_matches(name.lower(), list(lowered), n=3, cutoff=0.5)
    ]
    if matches:
        return f"Did you mean {' or '.join(matches)}?"
    shown = ", ".join(list(candidates)[:20])
    return f"Choose one of those that are there: {shown}." if shown else ""


def translate(error: BaseException, what: str) -> DatanikaError:
    """The error to show for ``error``. ``what`` opens the sentence ("Reading public.orders")."""
    found = error if isinstance(error, DatanikaError) else _translated(error, what)
    # It may be raised far from here, where nothing links it to its cause any more.
    found.end = found.end or str(getattr(error, "end", ""))
    found.signature = found.signature or signature_of(error)
    if found is not error and not found.signature:
        found.signature = signature_of_class(error)
    return found


def _translated(error: BaseException, what: str) -> DatanikaError:
    if isinstance(error, TypesChanged):
        return TransientError(f"{what} met a source that was replaced meanwhile.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full(str(error))
    if isinstance(error, psycopg.Error):
        return _postgres(error, what)
    if isinstance(error, duckdb.Error):
        return _duckdb(error, what)
    if isinstance(error, sqlite3.Error):
        return _sqlite(error, what)
    if isinstance(error, (ConnectionError, TimeoutError)):
        return TransientError(f"{what} lost its connection.", detail=str(error))
    if isinstance(error, OSError):
        return UserError(f"{what} failed: {error.strerror or error}.", detail=str(error))
    return DatanikaError(f"{what} failed: {type(error).__name__}.", detail=str(error)[:2000])


def without_paths(error: DatanikaError, directories: Sequence[str]) -> DatanikaError:
    """The error without the machine's own directories: a person knows files by their path below them."""
    for name in ("message", "remedy", "detail"):
        text = str(getattr(error, name))
        for directory in directories:
            text = text.replace(f"{directory.rstrip('/')}/", "")
        # DuckDB names the program that holds a lock by its path.
        setattr(error, name, _HELD.sub("held by another process", text))
    return error


def _disk_full(detail: str) -> DatanikaError:
    return DiskFull(
        "There is no space left on the disk.",
        remedy="Free some space or load less at once, then run again.",
        detail=detail,
    )


def _postgres(error: psycopg.Error, what: str) -> DatanikaError:
    state = error.sqlstate or ""
    detail = _postgres_detail(error)
    said = error.diag.message_primary or _first_line(error)
    if state.startswith(_TRANSIENT_CLASSES) or state in _TRANSIENT_STATES:
        return TransientError(f"{what} was interrupted: {said}.", detail=detail)
    if state.startswith("28"):
        return AuthenticationFailed(
            f"{what} was refused: {said}.", remedy="Check the connection.", detail=detail
        )
    if state == "42501":
        return PermissionMissing(
            f"{what} is not permitted: {said}.",
            remedy="Give the connection's user that right, or choose another connection.",
            detail=detail,
        )
    if state == "25006":
        return PermissionMissing(
            f"{what} failed: the server only reads.",
            remedy="Choose a server that can be written to.",
            detail=detail,
        )
    if state == "53100":
        return _disk_full(detail)
    if state == "53200":
        return MemoryLimit(f"{what} ran out of memory on the server.", detail=detail)
    if state.startswith(("22", "23")):
        return BadData(
            f"{what} met a value that does not fit: {said}.",
            remedy="Correct the value at the source, or leave the column out.",
            detail=detail,
        )
    # Without a SQLSTATE the words are libpq's own; a server that dies in mid-query leaves the bare DatabaseError.
    if not state and (
        isinstance(error, psycopg.OperationalError) or type(error) is psycopg.DatabaseError
    ):
        return _no_server(error, what, detail)
    return UserError(f"{what} failed: {said}.", remedy=_LOOK, detail=detail)


def _no_server(error: psycopg.Error, what: str, detail: str) -> DatanikaError:
    text = str(error)
    if any(word in text for word in _REFUSED_LOGIN):
        return AuthenticationFailed(
            f"{what} was refused by the server.", remedy="Check the connection.", detail=detail
        )
    if 'database "' in text and "does not exist" in text:
        return UserError(
            f"{what} failed: the database does not exist.",
            remedy="Check the connection.",
            detail=detail,
        )
    if "closed the connection" in text or "connection is lost" in text:
        return TransientError(f"{what} lost its connection to the server.", detail=detail)
    return TransientError(f"{what} could not reach the server.", detail=detail)


def _postgres_detail(error: psycopg.Error) -> str:
    parts = [str(error).strip(), error.diag.context or ""]
    return "\n".join(part for part in parts if part)[:2000]


def _duckdb(error: duckdb.Error, what: str) -> DatanikaError:
    text = str(error)
    if "No space left" in text or "max_temp_directory_size" in text:
        return _disk_full(text[:2000])
    if isinstance(error, duckdb.OutOfMemoryException):
        return MemoryLimit(
            f"{what} needs more memory than its limit.",
            remedy="Raise the memory limit of loads.",
            detail=text[:2000],
        )
    if signature_of(error) in LOST_MARKS:
        return TransientError(f"{what} lost its connection to the server.", detail=text[:2000])
    if isinstance(error, duckdb.IOException) and "lock" in text.lower():
        return TransientError(
            f"{what} found the DuckDB file in use by another process.", detail=text[:2000]
        )
    if isinstance(error, duckdb.TransactionException):
        return TransientError(f"{what} met another writer.", detail=text[:2000])
    if isinstance(error, duckdb.InterruptException):
        return TransientError(f"{what} was interrupted.", detail=text[:2000])
    if isinstance(error, duckdb.DataError):
        return BadData(
            f"{what} met a value that does not fit: {_sentence(error)}",
            remedy="Correct the value at the source, or leave the column out.",
            detail=text[:2000],
        )
    return UserError(f"{what} failed: {_sentence(error)}", remedy=_LOOK, detail=text[:2000])


def _sqlite(error: sqlite3.Error, what: str) -> DatanikaError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TransientError(f"{what} found the SQLite file locked.", detail=str(error))
    if code == sqlite3.SQLITE_FULL:
        return _disk_full(str(error))
    return UserError(f"{what} failed: {error}.", remedy=_LOOK, detail=str(error))


def _sentence(error: BaseException) -> str:
    """The system's own first words, with a full stop."""
    text = _first_line(error).rstrip(" .!:")
    # DuckDB opens with the class of the error, which says nothing to a person.
    return f"{text.partition(' Error: ')[2] or text}."


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
