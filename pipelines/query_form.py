"""The queries of a pipeline as they are typed, several at a time. They work as a plain form."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from common.errors import UserError
from connections import runner
from connections.models import Connection
from pipelines.definition import PipelineDefinition
from pipelines.definition.query import checked_query
from pipelines.filter_preview import SAMPLE_ROWS, Preview, preview_of
from pipelines.models import Mode

_FIELD = re.compile(r"query-(\d{1,4})-(name|sql)")
_PLACE = re.compile(r"resources\[(\d+)\]\.(name|query)")


@dataclass
class QueryRow:
    """One query as it stands in the form."""

    name: str = ""
    sql: str = ""
    #: What is wrong, by ``name`` and ``sql``.
    errors: dict[str, str] = field(default_factory=dict)
    #: The source's own words against it.
    detail: str = ""
    preview: Preview | None = None

    @property
    def is_blank(self) -> bool:
        return not self.name and not self.sql.strip()

    def put_error(self, part: str, error: UserError) -> None:
        self.errors[part] = f"{error.message} {error.remedy}".strip()
        self.detail = error.detail if part == "sql" else self.detail


class QueryForm:
    """The rows, and what is wrong with all of them."""

    def __init__(self, rows: list[QueryRow]) -> None:
        self.rows = rows or [QueryRow()]
        self.error = ""
        #: The row that gets the focus after one was added.
        self.focus: int | None = None

    @classmethod
    def of(cls, queries: Sequence[dict[str, Any]]) -> "QueryForm":
        return cls([QueryRow(str(one["name"]), str(one["query"])) for one in queries])

    @classmethod
    def read(cls, data: QueryDict) -> "QueryForm":
        """As typed, after the button that adds or removes a row was heard."""
        found: dict[int, dict[str, str]] = {}
        for key in data:
            if match := _FIELD.fullmatch(key):
                found.setdefault(int(match[1]), {})[match[2]] = str(data[key])
        rows = [
            QueryRow(values.get("name", "").strip(), values.get("sql", "").replace("\r\n", "\n"))
            for _number, values in sorted(found.items())
        ]
        action, _colon, number = data.get("action", "").partition(":")
        if action == "remove-query" and number.isdigit():
            rows = [row for at, row in enumerate(rows) if at != int(number)]
        form = cls(rows)
        if action == "add-query":
            form.rows.append(QueryRow())
            form.focus = len(form.rows) - 1
        return form

    def queries(self) -> list[dict[str, str]]:
        """What was typed, right or not."""
        return [{"name": row.name, "query": row.sql} for row in self.rows if not row.is_blank]

    def is_valid(self) -> bool:
        """Whether the definition takes them; else the errors stand at their fields."""
        self.rows = [row for row in self.rows if not row.is_blank] or [QueryRow()]
        if not self.queries():
            self.error = _("Write a query, and give it a name.")
            return False
        try:
            for row in self.rows:
                self._check_text(row)
            resources = [{"name": row.name or " ", "query": row.sql} for row in self.rows]
            shell = {"name": "-", "dataset": "x", "mode": str(Mode.QUERY)}
            PipelineDefinition.parse({**shell, "resources": resources})
        except UserError as error:
            self._put_error(error)
        return not self.error and not any(row.errors for row in self.rows)

    def check(self, number: int, source: Connection) -> None:
        """Ask the source for the columns and some rows of one query."""
        row = self.rows[number]
        try:
            query = checked_query(row.sql, where="query")
            answer = runner.sample(source, schema="", table="", query=query, limit=SAMPLE_ROWS)
        except UserError as error:
            row.put_error("sql", error)
            return
        row.preview = preview_of(answer)

    def _check_text(self, row: QueryRow) -> None:
        if not row.name:
            row.errors["name"] = _("Give the query a name: its table is called so.")
        try:
            checked_query(row.sql, where="query")
        except UserError as error:
            row.put_error("sql", error)

    def _put_error(self, error: UserError) -> None:
        place = _PLACE.match(error.field)
        if place is None:
            self.error = f"{error.message} {error.remedy}".strip()
            return
        row, part = self.rows[int(place[1])], "sql" if place[2] == "query" else "name"
        if part not in row.errors:
            row.put_error(part, error)
