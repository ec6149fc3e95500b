"""Transformations for machines: the SQL with its columns and tests, compiling and previewing it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.api import KnownKeys, exception_handler
from common.errors import UserError
from common.http import get_or_404
from connections.models import Connection
from tenants.api_base import OrganizationAPIView
from transforms import runner, selectors, services
from transforms.errors import SqlProblem
from transforms.models import (
    BuildStatus,
    Materialization,
    Severity,
    TestKind,
    Transformation,
    TransformationColumn,
    TransformationTest,
)
from transforms.selectors import TransformationFilter


class BuildSerializer(serializers.Serializer[Transformation]):
    """How the last build went."""

    status = serializers.ChoiceField(BuildStatus.choices, source="build_status")
    built_at = serializers.DateTimeField(allow_null=True)
    seconds = serializers.FloatField(source="build_seconds", allow_null=True)
    rows = serializers.IntegerField(source="row_count", allow_null=True)
    message = serializers.CharField(source="build_message")


class TransformationSummarySerializer(serializers.ModelSerializer[Transformation]):
    """A transformation as lists show it."""

    connection = serializers.SlugField(source="connection.slug", help_text="The warehouse.")
    tags = serializers.ListField(child=serializers.CharField())
    build = BuildSerializer(source="*")

    class Meta:
        model = Transformation
        fields = (
            "name", "folder", "connection", "materialization", "schema", "description", "tags",
            "version", "updated_at", "build",
        )  # fmt: skip
        read_only_fields = fields


class TransformationColumnSerializer(serializers.ModelSerializer[TransformationColumn]):
    """A column: the warehouse's type, people's description."""

    class Meta:
        model = TransformationColumn
        fields = ("name", "data_type", "description")
        read_only_fields = fields


class TestResultSerializer(serializers.ModelSerializer[TransformationTest]):
    """A test and how it went last."""

    __test__ = False
    kind = serializers.ChoiceField(TestKind.choices)
    severity = serializers.ChoiceField(Severity.choices)
    arguments = serializers.DictField()
    last_samples = serializers.JSONField(help_text="Failing rows: columns and rows as text.")

    class Meta:
        model = TransformationTest
        fields = (
            "column", "kind", "arguments", "severity", "where", "last_status", "last_failures",
            "last_run_at", "last_samples",
        )  # fmt: skip
        read_only_fields = fields


class SourceTableSerializer(serializers.Serializer[Any]):
    dataset = serializers.CharField()
    table = serializers.CharField()


class ReadsSerializer(serializers.Serializer[Any]):
    """What the SQL names with ref() and source()."""

    transformations = serializers.ListField(child=serializers.CharField())
    sources = SourceTableSerializer(many=True)


class TransformationSerializer(TransformationSummarySerializer):
    """A transformation with everything that belongs to it."""

    config = serializers.DictField(help_text="dbt's config beside the fields above.")
    columns = serializers.SerializerMethodField()
    tests = serializers.SerializerMethodField()
    reads = serializers.SerializerMethodField()

    class Meta(TransformationSummarySerializer.Meta):
        fields = (  # type: ignore[assignment]
            *TransformationSummarySerializer.Meta.fields, "sql", "config", "columns", "tests",
            "reads", "compiled_sql", "created_at",
        )  # fmt: skip
        read_only_fields = fields  # type: ignore[assignment]

    @extend_schema_field(TransformationColumnSerializer(many=True))
    def get_columns(self, row: Transformation) -> list[dict[str, Any]]:
        rows = selectors.columns_of(row.organization, [row]).get(row.pk, [])
        return list(TransformationColumnSerializer(rows, many=True).data)

    @extend_schema_field(TestResultSerializer(many=True))
    def get_tests(self, row: Transformation) -> list[dict[str, Any]]:
        rows = selectors.tests_of(row.organization, [row]).get(row.pk, [])
        return list(TestResultSerializer(rows, many=True).data)

    @extend_schema_field(ReadsSerializer)
    def get_reads(self, row: Transformation) -> dict[str, Any]:
        found = selectors.upstreams_of(row)
        sources = [{"dataset": d, "table": t} for d, t in sorted(found.sources)]
        return {"transformations": sorted(found.refs), "sources": sources}


class TestWriteSerializer(KnownKeys):
    """A test of one column."""

    __test__ = False
    column = serializers.CharField(max_length=255)
    kind = serializers.ChoiceField(TestKind.choices)
    arguments = serializers.DictField(
        default=dict,
        help_text='{"values": […]} for accepted_values, {"to": …, "field": …} for relationships.',
    )
    severity = serializers.ChoiceField(Severity.choices, default=Severity.ERROR)
    where = serializers.CharField(max_length=500, allow_blank=True, default="")


class TransformationWriteSerializer(KnownKeys):
    """What can be said of a transformation; PATCH leaves out what stays."""

    name = serializers.CharField(max_length=63)
    sql = serializers.CharField(max_length=500_000, trim_whitespace=False)
    folder = serializers.CharField(max_length=120, allow_blank=True, default="models")
    materialization = serializers.ChoiceField(Materialization.choices, default=Materialization.VIEW)
    schema = serializers.CharField(max_length=63, allow_blank=True, default="")
    description = serializers.CharField(allow_blank=True, default="")
    tags = serializers.ListField(child=serializers.RegexField(r"^[^\s,]+$"), default=list)
    config = serializers.DictField(default=dict)
    columns = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        default=dict,
        help_text="Descriptions by column name; columns not named keep theirs.",
    )
    tests = TestWriteSerializer(
        many=True, default=list, help_text="All tests; those not named are removed."
    )


class TransformationCreateSerializer(TransformationWriteSerializer):
    connection = serializers.SlugField(help_text="The warehouse, by its slug; it cannot change.")


class TransformationUpdateSerializer(TransformationWriteSerializer):
    version = serializers.IntegerField(
        required=False, help_text="The version you read: 409 when somebody saved since."
    )


class FilterSerializer(serializers.Serializer[Any]):
    q = serializers.CharField(required=False, help_text="In name, folder or description.")
    folder = serializers.CharField(required=False, help_text="Folders below it count too.")
    status = serializers.ChoiceField(BuildStatus.choices, required=False)
    tag = serializers.CharField(required=False)
    connection = serializers.SlugField(required=False)


class TransformationList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW, "POST": Permission.EDIT}

    @extend_schema(
        summary="List transformations",
        parameters=[FilterSerializer],
        responses=TransformationSummarySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """By name."""
        data = self.query(FilterSerializer)
        wanted = TransformationFilter(query=data.pop("q", ""), **data)
        found = selectors.transformations_of(self.organization, wanted)
        rows = Transformation.objects.for_organization(self.organization)
        rows = rows.filter(pk__in=[row.pk for row in found]).select_related("connection")
        return self.page(rows, TransformationSummarySerializer, ordering=("name", "pk"))

    @extend_schema(
        summary="Create a transformation",
        request=TransformationCreateSerializer,
        responses={201: TransformationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Saved, not built: start a run for that."""
        data = self.body(TransformationCreateSerializer)
        slug = data.pop("connection")
        connection = (
            Connection.objects.for_organization(self.organization).filter(slug=slug).first()
        )
        if connection is None:
            raise UserError(
                f"There is no connection {slug!r}.",
                field="connection",
                remedy="Name a warehouse connection of this organization.",
            )
        row = services.create_transformation(
            organization=self.organization,
            actor=self.actor,
            connection=connection,
            definition=services.TransformationDefinition(**_values(data)),
        )
        return Response(TransformationSerializer(row).data, status=status.HTTP_201_CREATED)


class _One(OrganizationAPIView):
    """A view of one transformation."""

    required: ClassVar[dict[str, Permission]] = {}

    def row(self, name: str) -> Transformation:
        rows = Transformation.objects.for_organization(self.organization)
        return get_or_404(rows.select_related("connection", "organization"), name=name)


class TransformationDetail(_One):
    required: ClassVar = {
        "GET": Permission.VIEW,
        "PATCH": Permission.EDIT,
        "DELETE": Permission.EDIT,
    }

    @extend_schema(summary="Show a transformation", responses=TransformationSerializer)
    def get(self, request: Request, name: str) -> Response:
        return Response(TransformationSerializer(self.row(name)).data)

    @extend_schema(
        summary="Change a transformation",
        request=TransformationUpdateSerializer,
        responses=TransformationSerializer,
    )
    def patch(self, request: Request, name: str) -> Response:
        """Only what is named changes. A new name is refused while others read from the old one."""
        data = self.body(TransformationUpdateSerializer, partial=True)
        version = data.pop("version", None)
        row = self.row(name)
        saved = services.update_transformation(
            transformation=row,
            actor=self.actor,
            definition=replace(services.definition_of(row), **_values(data)),
            version=version,
        )
        return Response(TransformationSerializer(saved).data)

    @extend_schema(summary="Delete a transformation", responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """What it built stays in the warehouse. Refused while others read from it."""
        services.delete_transformation(transformation=self.row(name), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SqlSerializer(serializers.Serializer[Any]):
    sql = serializers.CharField(
        max_length=500_000,
        required=False,
        trim_whitespace=False,
        help_text="Text to try instead of the saved one.",
    )


class PreviewRequestSerializer(SqlSerializer):
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=100)


class CompiledSerializer(serializers.Serializer[Any]):
    compiled_sql = serializers.CharField()
    ms = serializers.IntegerField()


class PreviewColumnSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.CharField()


class PreviewSerializer(CompiledSerializer):
    columns = PreviewColumnSerializer(many=True)
    rows = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(allow_null=True)),
        help_text="Values as text; null is NULL.",
    )
    row_count = serializers.IntegerField()
    truncated = serializers.BooleanField(help_text="Whether there are more rows.")


class TransformationCompile(_One):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Compile a transformation", request=SqlSerializer, responses=CompiledSerializer
    )
    def post(self, request: Request, name: str) -> Response:
        """The SQL that dbt makes of it. Nothing is run."""
        row, data = self.row(name), self.body(SqlSerializer)
        sql = data.get("sql", row.sql)
        return _tried(lambda: runner.compile_sql(row.connection, name=row.name, sql=sql))


class TransformationPreview(_One):
    required: ClassVar = {"POST": Permission.EDIT}

    @extend_schema(
        summary="Preview a transformation",
        request=PreviewRequestSerializer,
        responses=PreviewSerializer,
    )
    def post(self, request: Request, name: str) -> Response:
        """The first rows of it, read-only."""
        row, data = self.row(name), self.body(PreviewRequestSerializer)
        sql = data.get("sql", row.sql)
        return _tried(
            lambda: runner.preview(row.connection, name=row.name, sql=sql, limit=data["limit"])
        )


def _tried(ask: Callable[[], dict[str, Any]]) -> Response:
    """The answer, or problem details with ``name``, ``line`` and ``column`` of what is wrong."""
    try:
        return Response(ask())
    except SqlProblem as problem:
        response = exception_handler(problem, {})
        assert response is not None
        place = {"name": problem.name, "line": problem.line, "column": problem.column}
        response.data |= place
        return response


def _values(data: dict[str, Any]) -> dict[str, Any]:
    """Checked JSON as the fields of a definition."""
    values = dict(data)
    if "columns" in values:
        values["column_descriptions"] = values.pop("columns")
    for name in ("tags", "tests"):
        if name in values:
            values[name] = tuple(values[name])
    return values
