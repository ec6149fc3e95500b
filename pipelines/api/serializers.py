"""The JSON of pipelines, for the OpenAPI document; what is sent is read and checked by ``pipelines.definition``."""

from typing import Any

from rest_framework import serializers

from common.api import KnownKeys
from pipelines import services
from pipelines.models import (
    FilterOperator,
    MergeStrategy,
    Mode,
    Pipeline,
    RowOrder,
    SchemaChange,
    Transform,
    Verify,
    WriteDisposition,
)

_AS_PIPELINE = "Left out or empty: as the pipeline says."


class FilterSerializer(serializers.Serializer[Any]):
    """A condition with `column`, `op` and `value`, or a group with either `and` or `or`. NULL passes `is_null` only."""

    column = serializers.CharField(required=False)
    op = serializers.ChoiceField(FilterOperator.choices, required=False)
    value = serializers.JSONField(
        required=False,
        help_text="One value; a list for `in` and `not_in`; `[low, high]`, both included, for `between`; true or "
        "false for `is_null`; a text with `%` and `_` for `like`.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # Groups hold items like themselves.
        groups = {name: FilterSerializer(many=True, required=False) for name in ("and", "or")}
        return {**super().get_fields(), **groups}


class SchemaContractSerializer(serializers.Serializer[Any]):
    """What happens when the source changes; what is left out evolves."""

    tables = serializers.ChoiceField(SchemaChange.choices, required=False)
    columns = serializers.ChoiceField(SchemaChange.choices, required=False)
    data_type = serializers.ChoiceField(SchemaChange.choices, required=False)


class ColumnSettingsSerializer(serializers.Serializer[Any]):
    """What is done with a column on its way. Hashed and masked ones become text; NULL stays NULL."""

    rename = serializers.CharField(
        max_length=63, required=False, help_text="Its name in the destination."
    )
    transform = serializers.ChoiceField(Transform.choices, required=False)


class ResourceSerializer(serializers.Serializer[Any]):
    """One table, query, file or pattern, and how it is read and written."""

    name = serializers.CharField(max_length=255)
    target = serializers.CharField(
        max_length=63, required=False, help_text="The table in the destination; made of the name."
    )
    query = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="One SELECT or WITH statement; in the mode `query` only, and needed there.",
    )
    is_selected = serializers.BooleanField(required=False, default=True)
    write_disposition = serializers.ChoiceField(
        WriteDisposition.choices, required=False, allow_blank=True, help_text=_AS_PIPELINE
    )
    merge_strategy = serializers.ChoiceField(
        MergeStrategy.choices, required=False, allow_blank=True, help_text=_AS_PIPELINE
    )
    primary_key = serializers.ListField(child=serializers.CharField(), required=False)
    cursor_column = serializers.CharField(required=False, allow_blank=True)
    cursor_initial = serializers.CharField(required=False, allow_blank=True)
    cursor_lookback = serializers.CharField(
        max_length=40,
        required=False,
        allow_blank=True,
        help_text="How far before the last value a run begins again: `100`, `15 minutes`, `2 hours`, `3 days`.",
    )
    row_order = serializers.ChoiceField(
        RowOrder.choices,
        required=False,
        allow_blank=True,
        help_text="Which row of a key wins: the last in this order of the cursor.",
    )
    columns = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Empty takes all, new ones too."
    )
    column_settings = serializers.DictField(
        child=ColumnSettingsSerializer(), required=False, help_text="By the source's column name."
    )
    filters = FilterSerializer(many=True, required=False, help_text="All of which a row must pass.")
    schema_contract = SchemaContractSerializer(required=False, help_text=_AS_PIPELINE)
    verify = serializers.ChoiceField(
        Verify.choices, required=False, allow_blank=True, help_text=_AS_PIPELINE
    )


class PipelineSerializer(serializers.Serializer[Pipeline]):
    """A pipeline. What is sent is checked as a whole; an unknown key is refused with its path."""

    slug = serializers.SlugField(read_only=True)
    name = serializers.CharField(max_length=80)
    description = serializers.CharField(required=False, allow_blank=True)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        help_text="Selections find it by `tag:<tag>`.",
    )
    # The stubs know Field.source; a declared field is taken out of the class.
    source = serializers.SlugField(  # type: ignore[assignment]
        help_text="The slug of a connection; fixed once created."
    )
    destination = serializers.SlugField(help_text="The slug of a connection; fixed once created.")
    mode = serializers.ChoiceField(Mode.choices, help_text="Fixed once created.")
    dataset = serializers.CharField(
        max_length=63, help_text="The schema in the destination; fixed once created."
    )
    source_schema = serializers.CharField(required=False, allow_blank=True)
    include = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Patterns of table names, in the mode `full_database`; empty is every table.",
    )
    exclude = serializers.ListField(child=serializers.CharField(), required=False)
    write_disposition = serializers.ChoiceField(
        WriteDisposition.choices, required=False, help_text="Of resources that do not say."
    )
    merge_strategy = serializers.ChoiceField(
        MergeStrategy.choices, required=False, help_text="Of resources that do not say."
    )
    schema_contract = SchemaContractSerializer(required=False)
    verify = serializers.ChoiceField(
        Verify.choices,
        required=False,
        help_text="What is compared between source and destination after each load.",
    )
    resources = ResourceSerializer(many=True, required=False)
    is_paused = serializers.BooleanField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    cursors = serializers.JSONField(
        read_only=True,
        help_text="By resource, as of the last good run or as set by hand: `column`, `value`, `edit`.",
    )
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    def to_representation(self, instance: Pipeline) -> dict[str, Any]:
        return as_json(instance)


def as_json(pipeline: Pipeline) -> dict[str, Any]:
    definition = services.definition_of(pipeline).as_dict()
    return {
        "slug": pipeline.slug,
        **definition,
        "source": pipeline.source.slug,
        "destination": pipeline.destination.slug,
        "is_paused": pipeline.is_paused,
        "version": pipeline.version,
        "cursors": pipeline.cursors,
        "created_at": pipeline.created_at,
        "updated_at": pipeline.updated_at,
    }


class CursorSerializer(serializers.Serializer[Any]):
    """Where the next run of one resource begins."""

    resource = serializers.CharField()
    column = serializers.CharField()
    value = serializers.CharField(
        allow_null=True, help_text="null: with everything, or with `cursor_initial`."
    )
    edit = serializers.IntegerField(help_text="How often it was set by hand.")
    is_pending = serializers.BooleanField(help_text="Set by hand, and no run has begun there yet.")
    committed_value = serializers.CharField(
        allow_null=True, help_text="The last value that was loaded; null where it was not asked."
    )
    committed_at = serializers.DateTimeField(allow_null=True)


class CursorInput(KnownKeys):
    value = serializers.CharField(
        max_length=255, allow_null=True, help_text="null lets the next run begin anew."
    )
    expected = serializers.CharField(
        max_length=255,
        allow_null=True,
        required=False,
        help_text="The value you looked at; 409 when it has moved since.",
    )


class LoadOptionsInput(KnownKeys):
    """As for starting a run."""

    full_refresh = serializers.BooleanField(required=False, default=False)
    tables = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, default=list
    )
    cursor_from = serializers.CharField(
        max_length=255, required=False, default="", allow_blank=True
    )
    cursor_to = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)
    replay_rejects = serializers.BooleanField(required=False, default=False)


class EstimateSerializer(serializers.Serializer[Any]):
    """Rows of one resource; null where it was not asked, or could not be counted in time."""

    name = serializers.CharField()
    target = serializers.CharField()
    source_rows = serializers.IntegerField(allow_null=True)
    exact = serializers.BooleanField(help_text="Counted, not estimated by the source.")
    target_rows = serializers.IntegerField(allow_null=True)
    range_rows = serializers.IntegerField(allow_null=True)
    range_target_rows = serializers.IntegerField(allow_null=True)


class RejectSerializer(serializers.Serializer[Any]):
    """A row that was refused."""

    reject_id = serializers.CharField()
    load_id = serializers.CharField()
    table_name = serializers.CharField()
    resource = serializers.CharField()
    rejected_at = serializers.CharField()
    reason = serializers.CharField()
    column_name = serializers.CharField(allow_null=True)
    raw_value = serializers.CharField(allow_null=True)
    row_json = serializers.CharField(help_text="The row as the source wrote it, as JSON.")


class RejectCountSerializer(serializers.Serializer[Any]):
    table_name = serializers.CharField()
    count = serializers.IntegerField()


class RejectPageSerializer(serializers.Serializer[Any]):
    rows = RejectSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The `after` of the page behind.")
    tables = RejectCountSerializer(many=True)


class RejectQuery(serializers.Serializer[Any]):
    table = serializers.CharField(
        required=False, default="", help_text="A table of the destination."
    )
    after = serializers.CharField(required=False, default="")
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=200)


class DiscardInput(serializers.Serializer[Any]):
    ids = serializers.ListField(child=serializers.CharField(max_length=200))


class DiscardedSerializer(serializers.Serializer[Any]):
    discarded = serializers.IntegerField()
