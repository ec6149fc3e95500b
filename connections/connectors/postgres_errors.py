"""PostgreSQL's errors as sentences with a remedy, by SQLSTATE. Child side."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.errors import TransientError, UserError
from connections.connectors.base import Target

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class _Meaning:
    """``message`` may name {user}, {database} and {host}."""

    message: str
    remedy: str
    field: str = ""
    transient: bool = False


_WRONG_PASSWORD = _Meaning(
    'The server did not accept the password of user "{user}".',
    "Check user and password.",
    "password",
)
_NO_DATABASE = _Meaning(
    'There is no database "{database}" on the server.',
    "Check the name; upper and lower case differ.",
    "database",
)
_NO_USER = _Meaning(
    'There is no user "{user}" on the server.', "Check the name of the user.", "user"
)
_NOT_LET_IN = _Meaning(
    'The server does not let user "{user}" in from this machine.',
    "Add a line for this machine, user and database to pg_hba.conf, or turn TLS on.",
    "user",
)
_TOO_MANY = _Meaning(
    "The server has no connection to spare.",
    "Try again later, or raise max_connections.",
    transient=True,
)
_STARTING = _Meaning(
    "The server is starting or stopping.", "Try again in a minute.", transient=True
)
_GONE = _Meaning("The connection to {host} was lost.", "Try again.", transient=True)
_TIMED_OUT = _Meaning(
    "The server took too long to answer.", "Try again when it is less busy.", transient=True
)
_LOCKED = _Meaning("Another session is in the way.", "Try again.", transient=True)
_FORBIDDEN = _Meaning(
    'User "{user}" lacks a right for this.', "Grant it as the connector's page describes.", "user"
)
_UNDEFINED = _Meaning(
    "A table, column or schema is not there.", "Refresh the catalogue and choose again."
)

_BY_SQLSTATE: dict[str, _Meaning] = {
    "28P01": _WRONG_PASSWORD,
    "28000": _NOT_LET_IN,
    "3D000": _NO_DATABASE,
    "53300": _TOO_MANY,
    "57P01": _GONE,
    "57P02": _GONE,
    "57P03": _STARTING,
    "57P05": _GONE,
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
_BY_TEXT: tuple[tuple[str, _Meaning], ...] = (
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
    ("server closed the connection", _GONE),
    ("timeout expired", _TIMED_OUT),
    (
        "server does not support SSL",
        _Meaning(
            "The server offers no TLS, and this connection demands it.",
            "Switch TLS on at the server, or choose another encryption mode.",
            "sslmode",
        ),
    ),
    (
        "certificate",
        _Meaning(
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
    meaning = _meaning_of(error, target)
    names = {name: target.config.get(name, "") for name in ("user", "database", "host")}
    kind = TransientError if meaning.transient else UserError
    return kind(
        meaning.message.format(**names),
        field=meaning.field,
        remedy=meaning.remedy,
        detail=_detail(error, target),
    )


def _meaning_of(error: "psycopg.Error", target: Target) -> _Meaning:
    import psycopg

    state = error.sqlstate or ""
    if state:
        if state in _BY_SQLSTATE:
            return _BY_SQLSTATE[state]
        # 08: the connection itself. 53: memory, disk and the like.
        if state[:2] in {"08", "53"}:
            return _GONE
        return _Meaning("PostgreSQL refused the statement.", "See what it says below.")
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return _TIMED_OUT
    return _meaning_of_text(str(error), target)


def _meaning_of_text(text: str, target: Target) -> _Meaning:
    for fragment, meaning in _BY_TEXT:
        if fragment in text:
            return meaning
    if f'database "{target.config.get("database")}" does not exist' in text:
        return _NO_DATABASE
    if f'role "{target.config.get("user")}" does not exist' in text:
        return _NO_USER
    if "FATAL" in text:
        return _Meaning("The server refused the sign-in.", "See what it says below.", "user")
    return _GONE


def _detail(error: "psycopg.Error", target: Target) -> str:
    text = error.diag.message_primary or str(error)
    password = target.secrets.get("password", "")
    if password:
        text = text.replace(password, "***")
    return " ".join(text.split())[:500]
