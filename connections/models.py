"""How to reach a system, and what is known to stand in a warehouse."""

from typing import Any

from django.db import models
from django.utils import timezone

from common.crypto import EncryptedJSONField
from common.scoping import LIVE, OrganizationOwned, Trashable
from connections import restrictions
from connections.connectors.base import Connector
from connections.connectors.registry import get_connector
from connections.fingerprints import fingerprints_of


class UseAs(models.TextChoices):
    SOURCE = "source", "Source"
    DESTINATION = "destination", "Destination"
    BOTH = "both", "Source and destination"


class CheckStatus(models.TextChoices):
    UNTESTED = "untested"
    HEALTHY = "healthy"
    WARNING = "warning"
    UNREACHABLE = "unreachable"


class Connection(Trashable):
    """A configured system: a connector, its settings, and its encrypted secrets."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=64)
    connector = models.CharField(max_length=32)
    use_as = models.CharField(max_length=12, choices=UseAs, default=UseAs.SOURCE)
    config = models.JSONField(default=dict, blank=True)
    #: Write-only in every face.
    secrets = EncryptedJSONField(blank=True, default=dict, editable=False)
    #: Steps that may use it at once; None leaves it to the connector (a single writer has 1).
    max_concurrent_runs = models.PositiveSmallIntegerField(null=True, blank=True)
    #: Steps that use it go to this queue: for systems that only some workers reach. Empty is the organization's.
    queue = models.SlugField(max_length=40, blank=True)
    check_status = models.CharField(
        max_length=12, choices=CheckStatus, default=CheckStatus.UNTESTED, editable=False
    )
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: The stages of the last check, as the child reported them.
    check_stages = models.JSONField(default=list, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(Trashable.Meta):
        ordering = ["name", "pk"]
        # With Django's own view_connection: what is shared with single people.
        permissions = [
            ("run_connection", "Can use connection"),
            ("edit_connection", "Can edit connection"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"], condition=LIVE, name="connection_slug_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def type(self) -> Connector:
        return get_connector(self.connector)

    @property
    def address(self) -> str:
        return self.type.address(self.config)

    @property
    def is_source(self) -> bool:
        return self.use_as in {UseAs.SOURCE, UseAs.BOTH}

    @property
    def is_destination(self) -> bool:
        return self.use_as in {UseAs.DESTINATION, UseAs.BOTH}

    @property
    def slots(self) -> int | None:
        """How many steps may use it at once; None is unlimited."""
        if self.max_concurrent_runs:
            return self.max_concurrent_runs
        return 1 if self.type.capabilities.single_writer else None

    @property
    def reading_takes_a_slot(self) -> bool:
        """Whether a step that only reads from it counts; a limit that people set counts everybody."""
        return bool(self.max_concurrent_runs) or not self.type.capabilities.shared_reading

    def as_endpoint(self) -> dict[str, Any]:
        """The spec's view of it, secrets included: for a child's pipe only.

        Every use passes here, so that a type which operators have switched off is refused once for all.
        """
        restrictions.check_offered(self.type)
        return {"connector": self.connector, "config": self.config, "secrets": self.secrets}

    def as_used(self) -> dict[str, Any]:
        """What a run keeps of it: its settings, and of each secret a fingerprint."""
        return {
            "connector": self.connector,
            "config": self.config,
            "secrets": fingerprints_of(self.pk, self.secrets),
        }


class DatasetTable(OrganizationOwned):
    """A table that a pipeline loads (or will load) into a warehouse: dbt's sources are made of these."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    schema = models.CharField(max_length=63)
    name = models.CharField(max_length=255)
    #: ``[{"name": …, "type": …}]`` in the warehouse's words, once known.
    columns = models.JSONField(default=list, blank=True)
    #: The slug of the pipeline that loads it.
    loaded_by = models.CharField(max_length=64, blank=True)
    loaded_at = models.DateTimeField(null=True, blank=True)
    row_count = models.BigIntegerField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["schema", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "schema", "name"], name="dataset_table_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"
