"""The log of a run for machines, and what views of one run share."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission
from orchestration.log_lines import LEVELS, LineFilter, lines_after, lines_before
from orchestration.models import Run
from orchestration.selectors import run_numbered
from tenants.api_base import OrganizationAPIView

MOST_LINES = 1_000


class LogLineSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField(help_text="Number, from 1 within the run.")
    t = serializers.DateTimeField(help_text="When, in UTC.")
    l = serializers.CharField(help_text="Level: debug, info, ok, warn or error.")  # noqa: E741
    s = serializers.CharField(help_text="Scope: the step, or a part of it.")
    x = serializers.CharField(help_text="Text.")


class LogSerializer(serializers.Serializer[Any]):
    lines = LogLineSerializer(many=True)
    next = serializers.IntegerField(help_text="What to ask for as `after` the next time.")
    state = serializers.CharField(help_text="The run's status.")
    done = serializers.BooleanField(
        help_text="The run has ended and every line was read, or none is left before."
    )


class LogQuerySerializer(serializers.Serializer[Any]):
    after = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=2**31 - 1, help_text="A line's number."
    )
    before = serializers.IntegerField(
        required=False,
        default=None,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The last lines before this number, instead of the next behind `after`.",
    )
    level = serializers.ChoiceField(
        [level for level in LEVELS if level],
        required=False,
        default="",
        help_text="`warn` is warnings and errors, `error` errors alone.",
    )
    q = serializers.CharField(
        required=False, default="", help_text="Part of a line's text or scope.", max_length=200
    )


class RunView(OrganizationAPIView):
    """What views of one run share."""

    required: ClassVar[dict[str, Permission]] = {}
    grantable = "run"

    def run(self, number: int) -> Run:
        """The run; 404, or 410 when it is not kept any more."""
        return run_numbered(self.organization, number)


class RunLogs(RunView):
    required: ClassVar = {"GET": Permission.VIEW}

    @extend_schema(
        summary="Read the log",
        parameters=[LogQuerySerializer],
        responses=LogSerializer,
        tags=["runs"],
    )
    def get(self, request: Request, number: int) -> Response:
        """Up to 1,000 lines behind `after`; ask again with `next` until `done`. With `before`, `next` is what to ask
        for as `before`, and `done` says that no line stands before. A filter looks at some ten thousand lines at a
        time, so an answer may be empty and not `done`.
        """
        query = self.query(LogQuerySerializer)
        run, wanted = self.run(number), LineFilter(query["level"], query["q"])
        if query["before"]:
            found, over = lines_before(run, query["before"], MOST_LINES, wanted), True
        else:
            found, over = lines_after(run, query["after"], MOST_LINES, wanted), not run.is_active
        return Response(
            {
                "lines": [line.as_json() for line in found.lines],
                "next": found.edge,
                "state": run.shown_status,
                "done": over and found.is_end,
            }
        )
