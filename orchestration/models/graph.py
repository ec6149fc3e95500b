"""The graph: nodes, and the edges that people draw."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.scoping import OrganizationOwned
from orchestration.models.vocabulary import UpstreamRule


class Node(OrganizationOwned):
    """A place in the graph: exactly one pipeline or transformation."""

    pipeline = models.OneToOneField(
        "pipelines.Pipeline", models.CASCADE, null=True, blank=True, related_name="+"
    )
    transformation = models.OneToOneField(
        "transforms.Transformation", models.CASCADE, null=True, blank=True, related_name="+"
    )
    #: How many of its upstreams have to succeed.
    rule = models.CharField(max_length=13, choices=UpstreamRule, default=UpstreamRule.ALL_SUCCEEDED)
    #: When it last succeeded as a whole, its tests included: what freshness windows are measured from.
    succeeded_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(pipeline__isnull=True) ^ Q(transformation__isnull=True),
                name="node_is_exactly_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """``pipeline:<slug>`` or ``transformation:<name>``."""
        if self.pipeline:
            return f"pipeline:{self.pipeline.slug}"
        return f"transformation:{self.transformation.name}" if self.transformation else ""

    @property
    def title(self) -> str:
        """What people call it."""
        return str(self.pipeline or self.transformation or "")

    @property
    def is_alive(self) -> bool:
        thing = self.pipeline or self.transformation
        return thing is not None and not thing.is_deleted


class Dependency(OrganizationOwned):
    """An edge that a person drew; edges inferred from ``ref()`` and ``source()`` are not stored."""

    upstream = models.ForeignKey(Node, models.CASCADE, related_name="+")
    downstream = models.ForeignKey(Node, models.CASCADE, related_name="+")
    #: The freshness window in seconds: a run without the upstream asks that it has succeeded this recently. None: ever,
    #: or never.
    max_age_seconds = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(OrganizationOwned.Meta):
        verbose_name_plural = "dependencies"
        constraints = [
            models.UniqueConstraint(fields=["upstream", "downstream"], name="dependency_once"),
            models.CheckConstraint(
                condition=~Q(upstream=models.F("downstream")), name="dependency_not_on_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.upstream} → {self.downstream}"
