from common.errors import Conflict, UserError


class ConnectionInUse(Conflict):
    """This connection is in use."""

    code = "connection_in_use"


class ConnectionInTrash(Conflict):
    """Its connection is in the trash."""

    code = "connection_in_trash"


class InvalidConfiguration(UserError):
    """A setting of the connection is not valid."""

    code = "invalid_configuration"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = errors
        field, messages = next(iter(errors.items()))
        super().__init__(messages[0], field=field)


class FileRefused(UserError):
    """This file cannot be taken."""

    code = "file_refused"
