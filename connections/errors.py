from collections.abc import Mapping
from types import MappingProxyType

from common.errors import Conflict, UserError
from common.remedies import cause, remedy

NO_CODES: Mapping[str, str] = MappingProxyType({})


class ConnectionInUse(Conflict):
    """This connection is in use."""

    code = "connection_in_use"


class ConnectionInTrash(Conflict):
    """Its connection is in the trash."""

    code = "connection_in_trash"


class ConnectorNotOffered(UserError):
    """This type of connection is switched off on this installation."""

    code = "connector_not_offered"


class InvalidConfiguration(UserError):
    """A setting of the connection is not valid."""

    code = "invalid_configuration"

    def __init__(self, errors: dict[str, list[str]], codes: Mapping[str, str] = NO_CODES) -> None:
        """``codes`` are those of the first message of each field, where a form has refused it."""
        self.errors = errors
        field, messages = next(iter(errors.items()))
        code = codes.get(field)
        message = cause(code, field, messages[0]) if code else messages[0]
        super().__init__(message, field=field, remedy=remedy(code, field) if code else "")


class FileRefused(UserError):
    """This file cannot be taken."""

    code = "file_refused"
