from common.errors import Conflict, NotFound, UserError


class CyclicDependency(UserError):
    """The dependencies form a circle."""

    code = "cyclic_dependency"

    def __init__(
        self, path: list[str], *, names: list[str] | None = None, field: str = "upstream"
    ) -> None:
        self.path = path
        super().__init__(
            f"This would be a circle: {' → '.join(names or path)}.",
            field=field,
            remedy="Remove one of these dependencies.",
        )


class InvalidSelection(UserError):
    """The selection matches nothing."""

    code = "invalid_selection"


class UpstreamStale(UserError):
    """What this reads has not been renewed within its freshness window."""

    code = "upstream_stale"


class InvalidCron(UserError):
    """This is not a cron expression."""

    code = "invalid_cron"


class RunGone(NotFound):
    """This run is not kept any more."""

    code = "run_gone"
    http_status = 410
    #: Where its page leads back to.
    back_url = ""


class RunNotActive(Conflict):
    """This run has ended already."""

    code = "run_not_active"


class RunStillActive(Conflict):
    """This run has not ended yet."""

    code = "run_still_active"


class PipelinePaused(Conflict):
    """This pipeline is paused."""

    code = "pipeline_paused"
