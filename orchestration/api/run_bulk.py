"""Many runs at once for machines: cancelling and repeating."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from common.api import KnownKeys
from orchestration import services
from orchestration.api.runs import RunSerializer
from orchestration.services.bulk import MOST_AT_ONCE, BulkOutcome
from tenants.api_base import OrganizationAPIView


class BulkSerializer(KnownKeys):
    numbers = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**62),
        help_text=f"Numbers of runs, at most {MOST_AT_ONCE}.",
    )


class BulkRetrySerializer(BulkSerializer):
    from_failure = serializers.BooleanField(
        required=False, default=False, help_text="Only what failed and what stands behind it."
    )


class RefusalSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    reason = serializers.CharField()


class OutcomeSerializer(serializers.Serializer[Any]):
    done = RunSerializer(many=True, help_text="For a retry, the new runs.")
    refused = RefusalSerializer(many=True, help_text="What was left as it is, and why.")


def _answer(outcome: BulkOutcome) -> Response:
    refused = [{"number": number, "reason": why} for number, why in outcome.refused.items()]
    return Response({"done": RunSerializer(outcome.done, many=True).data, "refused": refused})


class RunsCancel(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.RUN}
    pagination_class = None

    @extend_schema(
        operation_id="runs_cancel_many",
        summary="Cancel several runs",
        request=BulkSerializer,
        responses=OutcomeSerializer,
        tags=["runs"],
    )
    def post(self, request: Request) -> Response:
        """Each for itself: one that has ended is refused, the others are cancelled all the same."""
        numbers = self.body(BulkSerializer)["numbers"]
        who: dict[str, Any] = {"organization": self.organization, "actor": self.actor}
        return _answer(services.cancel_runs(numbers=numbers, **who))


class RunsRetry(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.RUN}
    pagination_class = None

    @extend_schema(
        operation_id="runs_retry_many",
        summary="Run several again",
        request=BulkRetrySerializer,
        responses=OutcomeSerializer,
        tags=["runs"],
    )
    def post(self, request: Request) -> Response:
        """Each for itself, the oldest first."""
        data = self.body(BulkRetrySerializer)
        return _answer(
            services.retry_runs(organization=self.organization, actor=self.actor, **data)
        )
