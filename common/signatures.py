"""What an error is by its machine-readable marks: ``sqlstate:28P01``, ``mysql:1045``, ``errno:ENOSPC``.

Works by the module a class comes from, so that no driver is imported for it. Text is looked at only where a
driver hands over nothing better, and then anchored at the words the server puts first.
"""

import errno
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

LENGTH = 80

#: libpq hands over no SQLSTATE for a session that was never opened, only what the server said after FATAL.
_FATAL = (
    ("password authentication failed for user", "sqlstate:28P01"),
    ("no pg_hba.conf entry for", "postgres:no_pg_hba_entry"),
    ("pg_hba.conf rejects connection", "postgres:no_pg_hba_entry"),
    (r'role "[^"]*" does not exist', "postgres:no_role"),
    (r'role "[^"]*" is not permitted to log in', "postgres:no_login"),
    (r'database "[^"]*" does not exist', "sqlstate:3D000"),
    (r'permission denied for database "', "postgres:no_connect"),
    (r'database "[^"]*" is not currently accepting connections', "sqlstate:55000"),
    ("sorry, too many clients already", "sqlstate:53300"),
    ("remaining connection slots are reserved", "sqlstate:53300"),
    (r'too many connections for (?:role|database) "', "sqlstate:53300"),
    ("the database system is (?:starting up|shutting down|in recovery|not yet)", "sqlstate:57P03"),
    ("terminating connection due to administrator command", "sqlstate:57P01"),
)
_FATALS = tuple((re.compile(rf"FATAL:  ?{text}"), mark) for text, mark in _FATAL)
#: What libpq says itself.
_LIBPQ = (
    (re.compile(r"fe_sendauth: no password supplied"), "postgres:no_password"),
    (re.compile(r"server does not support SSL, but SSL was required"), "postgres:no_tls"),
    (re.compile(r"SSL error: certificate verify failed"), "tls:verify"),
    (re.compile(r"server certificate for \"[^\"]*\" .*does not match host name"), "tls:verify:62"),
    (re.compile(r"could not translate host name"), "dns:EAI_NONAME"),
    (re.compile(r"failed: Connection refused"), "errno:ECONNREFUSED"),
    (re.compile(r"(?:timeout expired|failed: Connection timed out)"), "errno:ETIMEDOUT"),
    (re.compile(r"failed: No route to host"), "errno:EHOSTUNREACH"),
    (re.compile(r"server closed the connection unexpectedly"), "sqlstate:08006"),
    (re.compile(r"could not receive data from server"), "sqlstate:08006"),
    (re.compile(r"SSL connection has been closed unexpectedly"), "sqlstate:08006"),
    (re.compile(r"the connection is (?:lost|closed)"), "sqlstate:08006"),
)
#: What the client library of MySQL says, through DuckDB's extension without its number.
_LIBMYSQL = (
    (re.compile(r"Lost connection to (?:\w+ )?server"), "mysql:2013"),
    (re.compile(r"[Ss]erver has gone away"), "mysql:2006"),
    (re.compile(r"Connection was killed"), "mysql:1927"),
    (re.compile(r"disconnected by the server because of inactivity"), "mysql:4031"),
    # In the middle of the rows, where the extension leaves out why.
    (re.compile(r"Failed to fetch result row for MySQL query"), "mysql:2013"),
)
#: DuckDB opens every message with the class of its error.
_DUCKDB = re.compile(
    r"^\s*(?P<name>[A-Z][A-Za-z]*(?: (?:of|[A-Z][a-z]+|implemented|Type))*) Error: ", re.MULTILINE
)
_DUCKDB_CLASSES = {
    "IO": "IOException",
    "INTERNAL": "InternalException",
    "FATAL": "FatalException",
    "HTTP": "HTTPException",
    "Out of Range": "OutOfRangeException",
    "Out of Memory": "OutOfMemoryException",
    "Mismatch Type": "TypeMismatchException",
    "Type Mismatch": "TypeMismatchException",
    "Not implemented": "NotImplementedException",
    "TransactionContext": "TransactionException",
    "Missing Extension": "CatalogException",
    "Invalid": "InvalidInputException",
    "INTERRUPT": "InterruptException",
    "Interrupt": "InterruptException",
}
_DUCKDB_LOCK = re.compile(r"^IO Error: (?:Could not set lock on file|Cannot open file .* used by)")
_DUCKDB_FULL = re.compile(
    r"^(?:IO|Out of Memory) Error: .*(?:No space left on device|max_temp_directory_size)",
    re.DOTALL,
)
_DUCKDB_SYNTAX = re.compile(r"^Parser Error: syntax error at ")
_SQLITE_NAMES = {3091: "SQLITE_CONSTRAINT_DATATYPE"}
_NAMED_DNS = {getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}


def signature_of(error: BaseException) -> str:
    """The mark of the error, or of what it was raised from; empty where nothing in the chain has one.

    dbt wraps what a driver said, so its own classes count only where the chain has nothing else.
    """
    found = ""
    for cause in causes_of(error):
        mark = str(getattr(cause, "signature", "") or "") or _own(cause)
        if mark and not mark.startswith("dbt:"):
            return mark[:LENGTH]
        found = found or mark
    return found[:LENGTH]


def signature_of_class(error: BaseException) -> str:
    """For an error of which nothing else is known."""
    return f"python:{type(error).__name__}"[:LENGTH]


def signature_of_duckdb(words: str) -> str:
    """The mark of a message of DuckDB that came as text; empty for other words."""
    words = words.strip()
    if _DUCKDB_FULL.search(words):
        return "errno:ENOSPC"
    if _DUCKDB_LOCK.search(words):
        return "duckdb:lock"
    if _DUCKDB_SYNTAX.search(words):
        return "duckdb:SyntaxException"
    found = _DUCKDB.search(words)
    if found is None:
        return ""
    name = found["name"]
    return f"duckdb:{_DUCKDB_CLASSES.get(name) or name.replace(' ', '') + 'Exception'}"


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, as far as a traceback would show it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        hidden = current.__cause__ is None and current.__suppress_context__
        current = None if hidden else current.__cause__ or current.__context__


def _own(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "errno:ENOMEM"
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, socket.gaierror):
        return f"dns:{_NAMED_DNS.get(error.errno or 0, 'unknown')}"
    status = _http_status(error)
    if status:
        return f"http:{status}"
    if isinstance(error, OSError):
        return _errno(error)
    if isinstance(error, UnicodeDecodeError):
        return "python:UnicodeDecodeError"
    reader = _READERS.get(type(error).__module__.partition(".")[0])
    return reader(error) if reader else ""


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls:verify:{error.verify_code}"
    return f"tls:{error.reason or 'unknown'}"


def _errno(error: OSError) -> str:
    if name := errno.errorcode.get(error.errno or 0):
        return f"errno:{name}"
    return "errno:ETIMEDOUT" if isinstance(error, TimeoutError) else ""


def _http_status(error: BaseException) -> int:
    """``urllib`` has the status on the error, ``requests`` and its kin on the response."""
    response = getattr(error, "response", None)
    for holder, name in ((response, "status_code"), (response, "status"), (error, "code")):
        value = getattr(holder, name, None)
        is_http = holder is response or type(error).__name__ == "HTTPError"
        if is_http and isinstance(value, int) and 100 <= value < 600:
            return value
    return 0


def _postgres(error: Any) -> str:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return f"sqlstate:{state}" if state else _libpq(str(error))


def _libpq(text: str) -> str:
    return _said(text, *_FATALS, *_LIBPQ)


def _said(text: str, *known: tuple[re.Pattern[str], str]) -> str:
    return next((mark for pattern, mark in known if pattern.search(text)), "")


def _mysql(error: Any) -> str:
    number = error.args[0] if error.args else None
    return f"mysql:{number}" if isinstance(number, int) and number else ""


def _sqlite(error: Any) -> str:
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if name == "unknown":
        # A newer SQLite than Python's list of names.
        name = _SQLITE_NAMES.get(error.sqlite_errorcode, name)
    return f"sqlite:{name}"


def _duckdb(error: Any) -> str:
    text = str(error)
    mark = signature_of_duckdb(text) or f"duckdb:{type(error).__name__}"
    # Through its extensions it hands on what libpq and libmysql say.
    if mark == "duckdb:IOException":
        return _libpq(text) or _said(text, *_LIBMYSQL) or mark
    return mark


def _ssh(error: Any) -> str:
    code = getattr(error, "code", None)
    if type(error).__name__ == "ChannelException" and isinstance(code, int):
        return f"ssh:channel:{code}"
    return f"ssh:{type(error).__name__}"


def _class_of(system: str) -> Callable[[Any], str]:
    return lambda error: f"{system}:{type(error).__name__}"


_READERS: dict[str, Callable[[Any], str]] = {
    "psycopg": _postgres,
    "psycopg2": _postgres,
    "pymysql": _mysql,
    "sqlite3": _sqlite,
    "duckdb": _duckdb,
    "_duckdb": _duckdb,
    "paramiko": _ssh,
    "dbt": _class_of("dbt"),
    "dbt_common": _class_of("dbt"),
    "pyarrow": _class_of("arrow"),
    "jinja2": _class_of("jinja"),
}
