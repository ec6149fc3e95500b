"""PostgreSQL's errors as sentences with a remedy, by SQLSTATE. Child side."""

from typing import TYPE_CHECKING

from common.errors import UserError
from connections.connectors.base import Target
from connections.connectors.meanings import GONE, Meaning, as_error

if TYPE_CHECKING:
    import psycopg


_WRONG_PASSWORD = Meaning(
    'The server did not accept the password of user "{user}".',
    "Check user and password.",
    "password",
)
_NO_DATABASE = Meaning(
    'There is no database "{database}" on the server.',
    "Check the name; upper and lower case differ.",
    "database",
)
_NO_USER = Meaning(
    'There is no user "{user}" on the server.', "Check the name of the user.", "user"
)
_NOT_LET_IN = Meaning(
    'The server does not let user "{user}" in from this machine.',
    "Add a line for this machine, user and database to pg_hba.conf, or turn TLS on.",
    "user",
)
_TOO_MANY = Meaning(
    "The server has no connection to spare.",
    "Try again later, or raise max_connections.",
    transient=True,
)
_STARTING = Meaning("The server is starting or stopping.", "Try again in a minute.", transient=True)
_TIMED_OUT = Meaning(
    "The server took too long to answer.", "Try again when it is less busy.", transient=True
)
_LOCKED = Meaning("Another session is in the way.", "Try again.", transient=True)
_FORBIDDEN = Meaning(
    'User "{user}" lacks a right for this.', "Grant it as the connector's page describes.", "user"
)
_UNDEFINED = Meaning(
    "A table, column or schema is not there.", "Refresh the catalogue and choose again."
)

_BY_SQLSTATE: dict[str, Meaning] = {
    "28P01": _WRONG_PASSWORD,
    "28000": _NOT_LET_IN,
    "3D000": _NO_DATABASE,
    "53300": _TOO_MANY,
    "57P01": GONE,
    "57P02": GONE,
    "57P03": _STARTING,
    "57P05": GONE,
    "57014": _TIMED_OUT,
    "55P03": _LOCKED,
    "40001": _LOCKED,
    "40P01": _LOCKED,
    "42501": _FORBIDDEN,
    "42P01": _UNDEFINED,
    "42703": _UNDEFINED,
    "3F000": _UNDEFINED,
}

# libpq hands over no SQLSTATE for a failed sign-in, only its text. A server that speaks another
# language than English falls through to the general sentence, with its own words as the detail.
_BY_TEXT: tuple[tuple[str, Meaning], ...] = (
    ("password authentication failed", _WRONG_PASSWORD),
    ("no password supplied", _WRONG_PASSWORD),
    ("no pg_hba.conf entry", _NOT_LET_IN),
    ("pg_hba.conf rejects", _NOT_LET_IN),
    ("is not permitted to log in", _NOT_LET_IN),
    ("permission denied for database", _FORBIDDEN),
    ("too many clients", _TOO_MANY),
    ("too many connections", _TOO_MANY),
    ("remaining connection slots", _TOO_MANY),
    ("is starting up", _STARTING),
    ("is shutting down", _STARTING),
    ("not yet accepting connections", _STARTING),
    ("server closed the connection", GONE),
    ("timeout expired", _TIMED_OUT),
    (
        "server does not support SSL",
        Meaning(
            "The server offers no TLS, and this connection demands it.",
            "Switch TLS on at the server, or choose another encryption mode.",
            "sslmode",
        ),
    ),
    (
        "certificate",
        Meaning(
            "The server's certificate was not accepted.",
            "Paste the authority's certificate, or use the host name the certificate is for.",
            "sslmode",
        ),
    ),
)


def explain(error: "psycopg.Error", target: Target) -> UserError:
    """The error as a ``UserError``, or a ``TransientError`` where trying again may help. Never
    holds the password.
    """
    return as_error(_meaning_of(error, target), target, error.diag.message_primary or str(error))


def words_of(error: "psycopg.Error", query: str = "", before: int = 0) -> str:
    """PostgreSQL's own words, with the line of the query where it stopped reading.

    ``before`` is how many characters of the statement stand before the query.
    """
    said = error.diag
    words = [said.message_primary or str(error), said.message_detail, said.message_hint]
    if query and (said.statement_position or "").isdigit():
        at = int(said.statement_position or 0) - 1 - before
        if 0 <= at <= len(query):
            line = query.count("\n", 0, at) + 1
            words.append(f"Line {line}: {query.splitlines()[line - 1].strip()[:200]}")
    return "\n".join(word for word in words if word)


def _meaning_of(error: "psycopg.Error", target: Target) -> Meaning:
    import psycopg

    state = error.sqlstate or ""
    if state:
        if state in _BY_SQLSTATE:
            return _BY_SQLSTATE[state]
        # 08: the connection itself. 53: memory, disk and the like.
        if state[:2] in {"08", "53"}:
            return GONE
        return Meaning("PostgreSQL refused the statement.", "See what it says below.")
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return _TIMED_OUT
    return _meaning_of_text(str(error), target)


def _meaning_of_text(text: str, target: Target) -> Meaning:
    for fragment, meaning in _BY_TEXT:
        if fragment in text:
            return meaning
    if f'database "{target.config.get("database")}" does not exist' in text:
        return _NO_DATABASE
    if f'role "{target.config.get("user")}" does not exist' in text:
        return _NO_USER
    if "FATAL" in text:
        return Meaning("The server refused the sign-in.", "See what it says below.", "user")
    return GONE
