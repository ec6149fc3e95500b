"""What to compute in a warehouse: the rows that one dbt project per warehouse is rendered from."""

from django.db import models
from django.utils import timezone

from common.scoping import LIVE, OrganizationOwned, Trashable


class Materialization(models.TextChoices):
    VIEW = "view", "View"
    TABLE = "table", "Table"
    INCREMENTAL = "incremental", "Incremental"
    EPHEMERAL = "ephemeral", "Ephemeral"


class TestKind(models.TextChoices):
    __test__ = False  # not a test class, whatever pytest thinks

    NOT_NULL = "not_null", "Not null"
    UNIQUE = "unique", "Unique"
    ACCEPTED_VALUES = "accepted_values", "Accepted values"
    RELATIONSHIPS = "relationships", "Relationship"


class Severity(models.TextChoices):
    ERROR = "error", "Error"
    WARN = "warn", "Warning"


class BuildStatus(models.TextChoices):
    NEVER = "untested"
    SUCCEEDED = "succeeded"
    WARNED = "warning"
    FAILED = "failed"
    #: It was built, and a test of it with the severity error failed.
    TESTS_FAILED = "test_fail"
    SKIPPED = "skipped"


#: What can be used.
GOOD_BUILDS = frozenset({BuildStatus.SUCCEEDED, BuildStatus.WARNED})
#: What needs a person: at once, or to look at. What was never built is in neither, nothing went wrong with it.
BAD_BUILDS = frozenset({BuildStatus.FAILED, BuildStatus.TESTS_FAILED})
DOUBTFUL_BUILDS = frozenset({BuildStatus.WARNED, BuildStatus.SKIPPED})


class Transformation(Trashable):
    """One dbt model: SQL, how it is stored, and what is known of its last build."""

    name = models.CharField(max_length=63)
    folder = models.CharField(max_length=120, default="models", blank=True)
    connection = models.ForeignKey("connections.Connection", models.PROTECT, related_name="+")
    sql = models.TextField()
    materialization = models.CharField(
        max_length=12, choices=Materialization, default=Materialization.VIEW
    )
    #: Empty is the organization's default schema.
    schema = models.CharField(max_length=63, blank=True)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    #: dbt's config beside the fields above (unique_key, incremental_strategy, …); unknown keys stay.
    config = models.JSONField(default=dict, blank=True)
    #: Grows with every save; an editor that saves an older one is told.
    version = models.PositiveIntegerField(default=1, editable=False)
    build_status = models.CharField(
        max_length=10, choices=BuildStatus, default=BuildStatus.NEVER, editable=False
    )
    built_at = models.DateTimeField(null=True, blank=True, editable=False)
    build_seconds = models.FloatField(null=True, blank=True, editable=False)
    row_count = models.BigIntegerField(null=True, blank=True, editable=False)
    build_message = models.TextField(blank=True, editable=False)
    compiled_sql = models.TextField(blank=True, editable=False)
    #: What ``sql`` reads, ``{"refs": [...], "sources": [[dataset, table]]}``, as parsed when ``reads_of`` was its MD5:
    #: a graph of ten thousand is not parsed anew each time it is looked at.
    reads = models.JSONField(default=dict, blank=True, editable=False)
    reads_of = models.CharField(max_length=32, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(Trashable.Meta):
        ordering = ["folder", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], condition=LIVE, name="transformation_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def slug(self) -> str:
        return self.name


class TransformationColumn(OrganizationOwned):
    """A column of a transformation: what people say of it, and the type the warehouse gave it."""

    transformation = models.ForeignKey(Transformation, models.CASCADE, related_name="+")
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=255)
    data_type = models.CharField(max_length=80, blank=True)
    description = models.TextField(blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["transformation", "name"], name="transformation_column_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TransformationTest(OrganizationOwned):
    """A test of one column, and how it went last."""

    __test__ = False

    transformation = models.ForeignKey(Transformation, models.CASCADE, related_name="+")
    column = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=TestKind)
    #: ``{"values": […]}`` or ``{"to": "dim_x", "field": "id"}``.
    arguments = models.JSONField(default=dict, blank=True)
    severity = models.CharField(max_length=5, choices=Severity, default=Severity.ERROR)
    where = models.CharField(max_length=500, blank=True)
    last_status = models.CharField(max_length=10, blank=True, editable=False)
    last_failures = models.BigIntegerField(null=True, blank=True, editable=False)
    #: Failing rows: ``{"columns": […], "rows": […], "truncated": …}``.
    last_samples = models.JSONField(default=dict, blank=True, editable=False)
    last_run_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(OrganizationOwned.Meta):
        ordering = ["column", "kind", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["transformation", "column", "kind"], name="transformation_test_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}({self.column})"
