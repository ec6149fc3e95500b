from common.errors import Conflict, UserError


class InvalidTransformation(UserError):
    """The transformation cannot be saved like this."""

    code = "invalid_transformation"


class EditConflict(Conflict):
    """Somebody saved this transformation after you opened it."""

    code = "edit_conflict"


class TransformationInUse(Conflict):
    """Other transformations read from this one."""

    code = "transformation_in_use"
