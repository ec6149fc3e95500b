from common.errors import UserError


class InvalidPipeline(UserError):
    """The pipeline cannot be saved like this."""

    code = "invalid_pipeline"
