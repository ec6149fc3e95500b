"""The changes of a pipeline's tables for machines."""

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.http import get_or_404
from orchestration.schema_changes import schema_changes
from pipelines.models import Pipeline
from tenants.api_base import OrganizationAPIView


class TableChangeSerializer(serializers.Serializer[Any]):
    run = serializers.IntegerField(help_text="The number of the run that met it.")
    at = serializers.DateTimeField(allow_null=True)
    table = serializers.CharField(help_text="In the destination.")
    resource = serializers.CharField()
    change = serializers.CharField(
        help_text="`table_added`, `column_added`, `column_removed` or `type_changed`."
    )
    column = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    treatment = serializers.CharField(help_text="What was done about it.")


class TableChangeQuery(serializers.Serializer[Any]):
    limit = serializers.IntegerField(required=False, default=100, min_value=1, max_value=500)


class PipelineSchemaChanges(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW}
    grantable = "pipeline"
    pagination_class = None

    @extend_schema(
        summary="List schema changes",
        parameters=[TableChangeQuery],
        responses=TableChangeSerializer(many=True),
        tags=["pipelines"],
    )
    def get(self, request: Request, slug: str) -> Response:
        """How the tables of the pipeline changed their shape, the newest first."""
        pipeline = get_or_404(Pipeline.objects.for_organization(self.organization), slug=slug)
        found = schema_changes(pipeline, **self.query(TableChangeQuery))
        return Response([asdict(one) for one in found])
