"""MySQL's and MariaDB's errors as sentences with a remedy, by error number. Child side."""

import ssl
import struct
from typing import TYPE_CHECKING

from common.errors import TransientError, UserError
from connections.connectors.base import Target
from connections.connectors.meanings import GONE, Meaning, as_error
from connections.connectors.servers import tls_error, unreachable

if TYPE_CHECKING:
    import pymysql

#: What PyMySQL stumbles over when the greeting is not of this protocol.
NO_GREETING = (struct.error, IndexError, ValueError, AssertionError)

_NOT_ACCEPTED = Meaning(
    'The server did not accept user "{user}" with this password from this machine.',
    "Check user and password; an account also says which machines it may come from.",
    "password",
)
_NO_DATABASE = Meaning(
    'There is no database "{database}" on the server.',
    "Check the name; upper and lower case may differ.",
    "database",
)
_DATABASE_CLOSED = Meaning(
    'User "{user}" has no right in database "{database}", or it does not exist.',
    "Check the name, and grant the rights of the connector's page.",
    "database",
)
_TOO_MANY = Meaning(
    "The server has no connection to spare.",
    "Try again later, or raise max_connections.",
    transient=True,
)
_NOT_LET_IN = Meaning(
    "The server does not let this machine in.",
    "Create the account for this machine's address ('user'@'address').",
    "user",
)
_BLOCKED = Meaning(
    "The server blocks this machine after too many failed connections.",
    "Run FLUSH HOSTS on the server.",
    "host",
)
_FORBIDDEN = Meaning(
    'User "{user}" lacks a right for this.', "Grant it as the connector's page describes.", "user"
)
_BROKEN_VIEW = Meaning(
    "The view names a table or column that is gone, or its definer lacks a right.",
    "Repair the view, or leave it out.",
)
_UNDEFINED = Meaning("A table or column is not there.", "Refresh the catalogue and choose again.")
_TIMED_OUT = Meaning(
    "The server took too long to answer.", "Try again when it is less busy.", transient=True
)
_STOPPED = Meaning("The statement was stopped on the server.", "Try again.", transient=True)
_LOCKED = Meaning("Another session is in the way.", "Try again.", transient=True)
_STOPPING = Meaning("The server is stopping.", "Try again in a minute.", transient=True)
_READ_ONLY = Meaning(
    "The server, or this session, takes no writes.", "Connect to the primary.", "host"
)
_NEEDS_TLS = Meaning(
    "The server lets nobody in without TLS.", "Choose an encryption mode with TLS.", "sslmode"
)
_SIGN_IN_METHOD = Meaning(
    'The account of user "{user}" signs in by a method that is not supported here.',
    "Use an account with a password; a method that sends it in clear needs TLS.",
    "user",
)
_EXPIRED = Meaning(
    'The password of user "{user}" has expired.', "Set a new one on the server.", "password"
)
_LOCKED_OUT = Meaning('The account of user "{user}" is locked.', "Unlock it.", "user")
_NO_ROOM = Meaning(
    "The server has no room to store the data.", "Free some space on the server, then try again."
)
_TOO_LARGE = Meaning(
    "A row is larger than the server takes.", "Raise max_allowed_packet on the server."
)
_NO_LOCAL_INFILE = Meaning(
    "The server takes no LOAD DATA LOCAL.", "Run: SET GLOBAL local_infile = 1;"
)
_OTHER = Meaning("The server refused the statement.", "See what it says below.")

_BY_NUMBER: dict[int, Meaning] = {
    **dict.fromkeys((1045, 1698), _NOT_ACCEPTED),
    1044: _DATABASE_CLOSED,
    1049: _NO_DATABASE,
    **dict.fromkeys((1040, 1203, 1226), _TOO_MANY),
    1130: _NOT_LET_IN,
    1129: _BLOCKED,
    **dict.fromkeys((1142, 1143, 1227, 1370), _FORBIDDEN),
    1356: _BROKEN_VIEW,
    **dict.fromkeys((1146, 1054), _UNDEFINED),
    **dict.fromkeys((1969, 3024), _TIMED_OUT),
    **dict.fromkeys((1317, 1927), _STOPPED),
    **dict.fromkeys((1205, 1213), _LOCKED),
    1053: _STOPPING,
    **dict.fromkeys((1290, 1792, 1836), _READ_ONLY),
    3159: _NEEDS_TLS,
    **dict.fromkeys((1251, 2049, 2054, 2058, 2059, 2061), _SIGN_IN_METHOD),
    **dict.fromkeys((1820, 1862), _EXPIRED),
    **dict.fromkeys((3118, 4151), _LOCKED_OUT),
    **dict.fromkeys((1021, 1114), _NO_ROOM),
    **dict.fromkeys((1153, 2020), _TOO_LARGE),
    **dict.fromkeys((1148, 3948, 4166), _NO_LOCAL_INFILE),
    **dict.fromkeys((1080, 1152, 1158, 1159, 1160, 1161, 1184, 2003, 2006, 2013, 2055), GONE),
    **dict.fromkeys((3169, 4031), GONE),
}
#: The driver's "not connected any more" has no number: it had lost the connection before.
_NOT_CONNECTED = 0
LOST = "mysql:2013"
_NO_TLS_OFFERED = 2026


def number_of(error: "pymysql.Error") -> int:
    """The server's or the driver's error number; 0 for none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def explain(error: "pymysql.Error", target: Target) -> UserError:
    """The error as a ``UserError``, or a ``TransientError`` where trying again may help. Never
    holds a secret.
    """
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLError):
        return tls_error(target, cause)
    if isinstance(cause, OSError):
        return unreachable(target, cause)
    number = number_of(error)
    detail = str(error.args[-1]) if error.args else ""
    if number == _NOT_CONNECTED and type(error).__name__ == "InterfaceError":
        lost = as_error(GONE, target, detail)
        lost.signature = LOST
        return lost
    if number == _NO_TLS_OFFERED:
        return UserError(
            "The server offers no TLS, and this connection demands it.",
            field="sslmode",
            remedy="Switch TLS on at the server, or choose another encryption mode.",
        )
    return as_error(_BY_NUMBER.get(number, _OTHER), target, detail)


def no_server(target: Target) -> UserError:
    """What answers is of another kind."""
    return TransientError(
        "Something answers there, but not a MySQL or MariaDB server.",
        field="port",
        remedy=f"Check host and port {target.config['port']}; 3306 is the usual one.",
    )
