"""The editor's state of one request: the forms, what they say together, and the result area."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.forms import BaseFormSet
from django.http import QueryDict
from django.utils.translation import gettext as _

from common.errors import DatanikaError
from connections.models import Connection
from tenants.models import Organization
from transforms import selectors, services
from transforms.changes import DiffLine
from transforms.errors import SqlProblem
from transforms.forms import (
    ColumnForm,
    ColumnForms,
    StoredTestForm,
    TestForm,
    TestForms,
    TransformationForm,
    initial_of,
    initial_of_test,
)
from transforms.models import TestKind, Transformation, TransformationTest
from transforms.services import TransformationDefinition

#: Types of warehouses that hold numbers: aligned by their digits.
_NUMBER = re.compile(
    r"(u?(tiny|small|big|huge)?int|float|double|real|numeric|decimal)", re.IGNORECASE
)

#: Where dbt is asked about SQL that has no proper name yet.
UNNAMED = "untitled"


@dataclass(frozen=True)
class Problem:
    """Something to put right, with its place where it is known."""

    text: str
    line: int | None = None
    column: int | None = None
    #: The field, or the other transformation, it is found in; empty for this SQL.
    where: str = ""
    url_name: str = ""
    remedy: str = ""


@dataclass
class Result:
    """What the area below the SQL shows. ``tab`` is rows, compiled, problems or conflict."""

    tab: str = ""
    value: dict[str, Any] = field(default_factory=dict)
    compiled_sql: str = ""
    problems: list[Problem] = field(default_factory=list)
    conflict: dict[str, list[DiffLine]] | None = None
    saved_version: int = 0

    @property
    def shown_tab(self) -> str:
        """The tab in front; before anything is tried, what there is to see."""
        if self.tab:
            return self.tab
        if self.problems:
            return "problems"
        return "compiled" if self.compiled_sql else "rows"

    @property
    def columns(self) -> list[dict[str, Any]]:
        """The columns of a preview, and whether each holds numbers."""
        columns: list[dict[str, Any]] = self.value.get("columns", [])
        return [{**c, "is_number": bool(_NUMBER.match(c["type"]))} for c in columns]

    @property
    def rows(self) -> list[list[tuple[str | None, bool]]]:
        """The rows of a preview, each cell with whether it is a number."""
        numbers = [column["is_number"] for column in self.columns]
        rows: list[list[str | None]] = self.value.get("rows", [])
        return [list(zip(cells, numbers, strict=True)) for cells in rows]

    @property
    def marks(self) -> list[dict[str, Any]]:
        """Problems as the editor marks them in its gutter."""
        here = [p for p in self.problems if p.line and not p.url_name and not p.where]
        return [{"line": p.line, "message": p.text} for p in here]


class Editor:
    """The forms over one transformation, stored or new; unbound without ``data``."""

    def __init__(
        self,
        organization: Organization,
        row: Transformation | None,
        data: QueryDict | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        self.organization, self.row, self.data = organization, row, data
        self.result = Result()
        self.warehouses = selectors.warehouses(organization) if row is None else []
        self.stored_tests: dict[tuple[str, str], TransformationTest] = {}
        self.types: dict[str, str] = {}
        self._load(initial or {})

    def _load(self, initial: dict[str, Any]) -> None:
        row, data = self.row, self.data
        columns: list[dict[str, Any]] = []
        tests: list[dict[str, Any]] = []
        if row is not None:
            initial = initial_of(row)
            for column in selectors.columns_of(self.organization, [row]).get(row.pk, []):
                self.types[column.name] = column.data_type
                columns.append({"name": column.name, "description": column.description})
            for test in selectors.tests_of(self.organization, [row]).get(row.pk, []):
                self.stored_tests[test.column, test.kind] = test
                tests.append(initial_of_test(services.test_as_data(test)))
        self.form = TransformationForm(
            data, initial=initial, row=row, warehouses=self.warehouses, auto_id="id_%s"
        )
        self.columns: BaseFormSet[ColumnForm] = ColumnForms(
            _own(data, "columns"), prefix="columns", initial=columns
        )
        self.tests: BaseFormSet[StoredTestForm] = TestForms(
            _own(data, "tests"), prefix="tests", initial=tests
        )
        self.new_test = TestForm(
            data if data is not None and data.get("new-column") else None, prefix="new"
        )

    def lock(self) -> None:
        """Show everything, let nothing be changed."""
        for form in (self.form, *self.columns.forms, *self.tests.forms):
            for name, form_field in form.fields.items():
                # A read-only text can still be selected, searched and scrolled.
                if name == "sql":
                    form_field.widget.attrs["readonly"] = True
                else:
                    form_field.disabled = True

    @property
    def column_rows(self) -> list[dict[str, Any]]:
        """Each column with its type and the tests saved for it."""
        by_column: dict[str, list[TransformationTest]] = {}
        for (column, _kind), test in self.stored_tests.items():
            by_column.setdefault(column, []).append(test)
        rows = []
        for form in self.columns.forms:
            name = str(form["name"].value() or "")
            rows.append(
                {
                    "form": form,
                    "name": name,
                    "type": self.types.get(name, ""),
                    "tests": by_column.get(name, []),
                }
            )
        return rows

    @property
    def test_rows(self) -> list[dict[str, Any]]:
        """Each test of the list, with what was stored of it, if it was."""
        rows = []
        for form in self.tests.forms:
            column, kind = str(form["column"].value() or ""), str(form["kind"].value() or "")
            stored = self.stored_tests.get((column, kind))
            rows.append(
                {
                    "form": form,
                    "column": column,
                    "kind": kind,
                    "label": dict(TestKind.choices).get(kind, kind),
                    "stored": stored,
                }
            )
        return rows

    @property
    def connection(self) -> Connection | None:
        """The warehouse: the stored one's, or the one chosen in the form."""
        if self.row is not None:
            return self.row.connection
        bound = self.form["connection"].value()
        chosen = next((w for w in self.warehouses if w.slug == bound), None)
        return chosen or (self.warehouses[0] if self.warehouses else None)

    @property
    def sql(self) -> str:
        """The text as typed, with the line ends that dbt and line numbers expect."""
        return str(self.form["sql"].value() or "").replace("\r\n", "\n")

    @property
    def name(self) -> str:
        return self.row.name if self.row is not None else UNNAMED

    def is_valid(self) -> bool:
        """Whether everything that was sent fits its field; the new test counts once it has a column."""
        parts = (self.columns, self.tests, self.new_test)
        fits = [part.is_valid() for part in parts if part.is_bound]
        return self.form.is_valid() and all(fits)

    def definition(self) -> TransformationDefinition:
        """What the valid forms say."""
        data = self.form.cleaned_data
        return TransformationDefinition(
            name=data["name"],
            sql=self.sql,
            folder=data["folder"],
            materialization=data["materialization"],
            schema=data["schema"],
            description=data["description"].replace("\r\n", "\n"),
            tags=data["tags"],
            config=self.form.config(),
            column_descriptions={
                form.cleaned_data["name"]: form.cleaned_data["description"]
                for form in self.columns.forms
                if form.is_bound
            },
            # A list that was not sent is not an empty list.
            tests=tuple(self.wanted_tests()) if self.tests.is_bound else None,
        )

    def wanted_tests(self) -> list[dict[str, Any]]:
        """The tests that stay and the one that is being added."""
        found = [
            form.as_test(self._stored(form))
            for form in self.tests.forms
            if not form.cleaned_data["remove"]
        ]
        if self.new_test.is_bound:
            found.append(self.new_test.as_test())
        return found

    def _stored(self, form: StoredTestForm) -> dict[str, Any] | None:
        key = form.cleaned_data["column"], form.cleaned_data["kind"]
        test = self.stored_tests.get(key)
        return services.test_as_data(test) if test else None

    def take_new_test(self) -> bool:
        """Move the test that was typed in to the list, not saved yet; False where it does not fit."""
        if not (self.new_test.is_bound and self.new_test.is_valid() and self.tests.is_valid()):
            return False
        tests = [initial_of_test(form.as_test(self._stored(form))) for form in self.tests.forms]
        added = self.new_test.as_test()
        if any((t["column"], t["kind"]) == (added["column"], added["kind"]) for t in tests):
            self.new_test.add_error("kind", _("This column has that test already."))
            return False
        self.tests = TestForms(prefix="tests", initial=[*tests, initial_of_test(added)])
        self.new_test = TestForm(prefix="new")
        return True

    def fail(self, error: DatanikaError) -> None:
        """Put a refusal on the field it names, and among the problems."""
        if isinstance(error, SqlProblem):
            elsewhere = error.name if error.name not in ("", self.name) else ""
            self._report(
                Problem(
                    error.words,
                    error.line,
                    error.column,
                    where=elsewhere,
                    url_name=elsewhere,
                    remedy=error.remedy,
                )
            )
            return
        if error.field in self.form.fields and self.form.is_bound:
            self.form.is_valid()
            self.form.add_error(error.field, str(error))
        elif error.field and self.form.is_bound:
            self.form.is_valid()
            self.form.add_error(None, str(error))
        self._report(Problem(error.message, where=self._label(error.field), remedy=error.remedy))

    def report_errors(self) -> None:
        """The forms' own errors as problems: a field may stand in a panel that is not in view."""
        for name, errors in self.form.errors.items():
            for text in errors:
                self._report(Problem(str(text), where=self._label(name)))
        forms: list[tuple[str, Any]] = [("Column", form) for form in self.columns.forms]
        forms += [("Test", form) for form in (*self.tests.forms, self.new_test)]
        for what, form in forms:
            for errors in form.errors.values() if form.is_bound else ():
                self._report(Problem(" ".join(map(str, errors)), where=_(what)))

    def _report(self, problem: Problem) -> None:
        self.result.tab = "problems"
        self.result.problems.append(problem)

    def _label(self, name: str) -> str:
        if name in ("", "sql", "__all__"):
            return ""
        if name in self.form.fields:
            return str(self.form.fields[name].label)
        return _("Tests") if name in ("tests", "arguments", "kind", "severity") else name


def _own(data: QueryDict | None, prefix: str) -> QueryDict | None:
    """The data for a formset; None where none of it was sent (a bare API-like post)."""
    return data if data is not None and f"{prefix}-TOTAL_FORMS" in data else None
