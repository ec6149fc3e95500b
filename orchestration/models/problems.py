"""Failed steps seen by an operator who wants to know which errors have no explanation yet."""

from common.scoping import OrganizationOwned
from orchestration.models.runs import RunStep


class UnexplainedError(RunStep):
    """Carries the admin's page of unknown errors; it has no rows of its own."""

    class Meta(OrganizationOwned.Meta):
        proxy = True
        verbose_name = "unexplained error"
