"""What to load, from where to where, and how each table of it is written."""

from django.db import models
from django.utils import timezone

from common.scoping import LIVE, OrganizationOwned, Trashable


class Mode(models.TextChoices):
    SINGLE_TABLE = "single_table", "One table"
    FULL_DATABASE = "full_database", "Whole database"
    QUERY = "query", "SQL query"
    FILES = "files", "Files"


class WriteDisposition(models.TextChoices):
    APPEND = "append", "Append"
    REPLACE = "replace", "Replace"
    MERGE = "merge", "Merge"


class MergeStrategy(models.TextChoices):
    """What a merge does with a row whose key is known."""

    UPSERT = "upsert", "Update the row"
    DELETE_INSERT = "delete_insert", "Delete and insert"
    SCD2 = "scd2", "Keep every version"


class RowOrder(models.TextChoices):
    """Which row of a key wins when one load brings several: the last in this order of the cursor."""

    ASC = "asc", "Highest cursor wins"
    DESC = "desc", "Lowest cursor wins"


class Verify(models.TextChoices):
    """What of the source and the destination is compared after a load."""

    NONE = "none", "Nothing"
    COUNTS = "counts", "Number of rows"
    SUMS = "sums", "Number of rows and sums"


class SchemaChange(models.TextChoices):
    """What happens when the source changes its shape."""

    EVOLVE = "evolve", "Follow the source"
    FREEZE = "freeze", "Stop with an error"
    DISCARD_ROW = "discard_row", "Reject the rows"
    DISCARD_VALUE = "discard_value", "Leave the values out"


class Transform(models.TextChoices):
    """How the values of a column are made unreadable on their way."""

    HASH = "hash", "Hash"
    MASK = "mask", "Mask"


class FilterOperator(models.TextChoices):
    EQ = "eq", "equals"
    NE = "ne", "does not equal"
    GT = "gt", "is greater than"
    GTE = "gte", "is at least"
    LT = "lt", "is less than"
    LTE = "lte", "is at most"
    IN = "in", "is one of"
    NOT_IN = "not_in", "is none of"
    IS_NULL = "is_null", "has no value"
    LIKE = "like", "is like"
    BETWEEN = "between", "is between"


class Pipeline(Trashable):
    """One extract-and-load: a source, a destination, a dataset there, and the resources between them."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=64)
    description = models.TextField(blank=True)
    #: What selections (``tag:nightly``) and lists find it by.
    tags = models.JSONField(default=list, blank=True)
    source = models.ForeignKey("connections.Connection", models.PROTECT, related_name="+")
    destination = models.ForeignKey("connections.Connection", models.PROTECT, related_name="+")
    #: The schema in the destination; dlt calls it the dataset.
    dataset = models.CharField(max_length=63)
    mode = models.CharField(max_length=16, choices=Mode)
    #: The schema of the source; empty for files.
    source_schema = models.CharField(max_length=255, blank=True)
    #: Patterns of table names (whole database); an empty ``include`` is every table.
    include = models.JSONField(default=list, blank=True)
    exclude = models.JSONField(default=list, blank=True)
    #: These four hold for every table that does not say otherwise.
    write_disposition = models.CharField(
        max_length=8, choices=WriteDisposition, default=WriteDisposition.REPLACE
    )
    merge_strategy = models.CharField(
        max_length=13, choices=MergeStrategy, default=MergeStrategy.UPSERT
    )
    #: ``{"tables" | "columns" | "data_type": SchemaChange}``; what is missing evolves.
    schema_contract = models.JSONField(default=dict, blank=True)
    verify = models.CharField(max_length=6, choices=Verify, default=Verify.NONE)
    is_paused = models.BooleanField(default=False)
    #: Why it is paused, when not by a person.
    paused_reason = models.CharField(max_length=200, blank=True)
    #: Where each cursor stands, by resource: ``{name: {"column": …, "value": …, "edit": n}}``. ``edit`` counts
    #: how often a person set it; the engine takes a value from here when its own ledger has a lower one.
    cursors = models.JSONField(default=dict, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(Trashable.Meta):
        ordering = ["name", "pk"]
        # With Django's own view_pipeline: what is shared with single people.
        permissions = [("run_pipeline", "Can run pipeline"), ("edit_pipeline", "Can edit pipeline")]
        indexes = [
            # The list is read in this order, a page at a time.
            models.Index(
                fields=["organization", "name", "id"], condition=LIVE, name="pipeline_by_name"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"], condition=LIVE, name="pipeline_slug_unique"
            ),
            models.UniqueConstraint(
                fields=["destination", "dataset", "organization"],
                condition=LIVE,
                name="pipeline_dataset_not_shared",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PipelineResource(OrganizationOwned):
    """One table, query or set of files of a pipeline, and how it is read and written."""

    pipeline = models.ForeignKey(Pipeline, models.CASCADE, related_name="+")
    position = models.PositiveIntegerField(default=0)
    #: The table's name in the source, the query's name, or a path or glob below the files directory.
    name = models.CharField(max_length=255)
    target = models.CharField(max_length=63)
    #: One SELECT or WITH statement (SQL query).
    query = models.TextField(blank=True)
    is_selected = models.BooleanField(default=True)
    # Empty is what the pipeline says, here and in ``schema_contract`` and ``verify``.
    write_disposition = models.CharField(max_length=8, choices=WriteDisposition, blank=True)
    merge_strategy = models.CharField(max_length=13, choices=MergeStrategy, blank=True)
    primary_key = models.JSONField(default=list, blank=True)
    cursor_column = models.CharField(max_length=255, blank=True)
    cursor_initial = models.CharField(max_length=255, blank=True)
    #: How far before its last value a run begins again: ``100``, ``15 minutes``.
    cursor_lookback = models.CharField(max_length=40, blank=True)
    row_order = models.CharField(max_length=4, choices=RowOrder, blank=True)
    #: Columns to take; empty is all of them, new ones included.
    columns = models.JSONField(default=list, blank=True)
    #: ``{source column: {"rename": …, "transform": Transform}}``.
    column_settings = models.JSONField(default=dict, blank=True)
    #: Conditions and groups of them, all of which a row must pass.
    filters = models.JSONField(default=list, blank=True)
    schema_contract = models.JSONField(default=dict, blank=True)
    verify = models.CharField(max_length=6, choices=Verify, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["pipeline", "name"], name="resource_named_once"),
            models.UniqueConstraint(fields=["pipeline", "target"], name="resource_target_once"),
        ]

    def __str__(self) -> str:
        return self.name


class PipelineDraft(OrganizationOwned):
    """A pipeline on its way through the wizard; every step is saved, so a closed tab loses nothing."""

    created_by = models.ForeignKey("tenants.User", models.CASCADE, related_name="+")
    data = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return f"Draft {self.pk}"
