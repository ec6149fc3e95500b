"""Problems for machines: errors of one cause, with what to do about them."""

from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.errors import NotFound
from orchestration.explanations import Who
from orchestration.problems import MOST, Problem, problem_of, problems_of
from tenants.api_base import OrganizationAPIView


class ProblemExplanationSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="Stable across versions.")
    title = serializers.CharField()
    cause = serializers.CharField()
    remedy = serializers.CharField()
    who = serializers.ChoiceField([str(who) for who in Who], help_text="Who can put it right.")


class ProblemSerializer(serializers.Serializer[Any]):
    fingerprint = serializers.CharField(help_text="The same for all errors of one cause.")
    title = serializers.CharField()
    code = serializers.CharField(source="latest.error_code")
    signature = serializers.CharField(
        source="latest.error_signature",
        help_text="What the other system called it: `sqlstate:28P01`, `mysql:1045`, `exit:-9`.",
    )
    message = serializers.CharField(source="latest.error", help_text="Of the newest occurrence.")
    explanation = ProblemExplanationSerializer(
        allow_null=True, help_text="Null for an error that is not known yet."
    )
    count = serializers.IntegerField(
        help_text="Counting ends at 1,000 in a list and at 10,000 for one problem."
    )
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    is_over = serializers.BooleanField(help_text="Everything it had hit has succeeded since.")
    affected = serializers.SerializerMethodField(help_text="Names of the steps it hit.")
    latest_run = serializers.IntegerField(source="latest.run.number")

    def get_affected(self, problem: Problem) -> list[str]:
        return [name for _kind, name in problem.affected]


class ProblemQuery(serializers.Serializer[Any]):
    days = serializers.IntegerField(
        required=False, min_value=1, max_value=3650, help_text="Seen in that many days; default 30."
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST)


class ProblemList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW}
    pagination_class = None

    @extend_schema(
        summary="List problems",
        parameters=[ProblemQuery],
        responses=ProblemSerializer(many=True),
        tags=["runs"],
    )
    def get(self, request: Request) -> Response:
        """Errors of one cause as one, the newest first."""
        asked = self.query(ProblemQuery)
        since = timezone.now() - timedelta(days=asked.get("days") or 30)
        found = problems_of(self.organization, since=since, most=asked.get("limit") or MOST)
        return Response(ProblemSerializer(found, many=True).data)


class ProblemDetail(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW}

    @extend_schema(summary="Get a problem", responses=ProblemSerializer, tags=["runs"])
    def get(self, request: Request, fingerprint: str) -> Response:
        problem = problem_of(self.organization, fingerprint)
        if problem is None:
            raise NotFound("No run of this organization had this problem.")
        return Response(ProblemSerializer(problem).data)
