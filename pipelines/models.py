"""What to load, from where to where, and how each table of it is written."""

from typing import Any

from django.db import models
from django.utils import timezone

from common.scoping import LIVE, OrganizationOwned, Trashable


class Mode(models.TextChoices):
    SINGLE_TABLE = "single_table", "One table"
    FULL_DATABASE = "full_database", "Whole database"
    FILES = "files", "Files"


class WriteDisposition(models.TextChoices):
    APPEND = "append", "Append"
    REPLACE = "replace", "Replace"
    MERGE = "merge", "Merge"


class FilterOperator(models.TextChoices):
    EQ = "eq", "equals"
    NE = "ne", "does not equal"
    GT = "gt", "is greater than"
    GTE = "gte", "is at least"
    LT = "lt", "is less than"
    LTE = "lte", "is at most"
    IN = "in", "is one of"
    NOT_IN = "not_in", "is none of"


class Pipeline(Trashable):
    """One extract-and-load: a source, a destination, a dataset there, and the resources between them."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=64)
    description = models.TextField(blank=True)
    source = models.ForeignKey("connections.Connection", models.PROTECT, related_name="+")
    destination = models.ForeignKey("connections.Connection", models.PROTECT, related_name="+")
    #: The schema in the destination; dlt calls it the dataset.
    dataset = models.CharField(max_length=63)
    mode = models.CharField(max_length=16, choices=Mode)
    #: The schema of the source; empty for files.
    source_schema = models.CharField(max_length=255, blank=True)
    #: How tables without settings of their own are written (whole database).
    write_disposition = models.CharField(
        max_length=8, choices=WriteDisposition, default=WriteDisposition.REPLACE
    )
    is_paused = models.BooleanField(default=False)
    #: Why it is paused, when not by a person.
    paused_reason = models.CharField(max_length=200, blank=True)
    #: The cursors after the last good run, for the page: ``{table: {"column": …, "value": …}}``.
    cursors = models.JSONField(default=dict, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(Trashable.Meta):
        ordering = ["name", "pk"]
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
    """One table or set of files of a pipeline, and how it is read and written."""

    pipeline = models.ForeignKey(Pipeline, models.CASCADE, related_name="+")
    position = models.PositiveIntegerField(default=0)
    #: The table's name in the source, or a path or glob below the files directory.
    name = models.CharField(max_length=255)
    target = models.CharField(max_length=63)
    is_selected = models.BooleanField(default=True)
    write_disposition = models.CharField(max_length=8, choices=WriteDisposition)
    primary_key = models.JSONField(default=list, blank=True)
    cursor_column = models.CharField(max_length=255, blank=True)
    cursor_initial = models.CharField(max_length=255, blank=True)
    #: Columns to take; empty is all of them, new ones included.
    columns = models.JSONField(default=list, blank=True)
    #: ``[{"column", "op", "value"}]``, all of which a row must pass.
    filters = models.JSONField(default=list, blank=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["pipeline", "name"], name="resource_named_once"),
            models.UniqueConstraint(fields=["pipeline", "target"], name="resource_target_once"),
        ]

    def __str__(self) -> str:
        return self.name

    def as_spec(self, schema: str) -> dict[str, Any]:
        """The engine's view of it (docs/architecture.md)."""
        cursor = {"column": self.cursor_column, "initial": self.cursor_initial or None}
        return {
            "schema": schema,
            "name": self.name,
            "target": self.target,
            "write_disposition": self.write_disposition,
            "primary_key": self.primary_key,
            "cursor": cursor if self.cursor_column else None,
            "columns": self.columns or None,
            "filters": self.filters,
        }


class PipelineDraft(OrganizationOwned):
    """A pipeline on its way through the wizard; every step is saved, so a closed tab loses nothing."""

    created_by = models.ForeignKey("tenants.User", models.CASCADE, related_name="+")
    data = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrganizationOwned.Meta):
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return f"Draft {self.pk}"
