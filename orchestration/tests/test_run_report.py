"""What the page of a run says about each table, and what the run was asked for."""

import re
from typing import Any

import pytest

from conftest_site import Person
from connections.models import Connection
from orchestration.models import Run
from orchestration.run_report import asked_words, report_of, title_of
from orchestration.tests import factories as make
from orchestration.tests.pages import get
from pipelines.models import Pipeline
from pipelines.runner import LoadOptions
from tenants.models import Organization

pytestmark = pytest.mark.django_db

SAID: dict[str, Any] = {
    "conversions": [
        {"column": "price", "text": "declared DECIMAL(10,2), kept as DOUBLE", "count": 12_345},
        {"column": "note", "text": "declared JSON, kept as text", "count": None},
    ],
    "schema_changes": [
        {
            "change": "column_added",
            "column": "<b>",
            "before": "",
            "after": "VARCHAR",
            "treatment": "evolved",
        }
    ],
    "rejects": [{"column": "id", "reason": "is not a value of BIGINT", "count": 3}],
    "verification": {
        "level": "counts",
        "status": "differed",
        "checks": [{"name": "rows", "source": "14", "destination": "9"}],
    },
    "cursor": {"column": "updated_at", "before": None, "after": "2026-01-03", "edit": 0},
    "lane": "duck",
    "bytes": 1_200_000,
    "seconds": {"read": 0.41, "commit": 0.01},
}


def run_with(organization: Organization, **event: Any) -> Run:
    run = make.make_run(organization, "pipeline:orders")
    make.finish(make.steps(run)[0], [make.table() | event, make.done()])
    return run


def test_everything_a_load_said(
    organization: Organization, stand: Connection, viewer: Person, client_urls: str
) -> None:
    counts = {"rows_read": 14, "rows_loaded": 9, "rows_filtered": 2, "rows_rejected": 3}
    run_with(organization, **counts, **SAID)
    page = get(viewer.client, f"{client_urls}/runs/1/")
    for words in (
        "14 read = 9 loaded + 2 filtered + 3 rejected",
        "through DuckDB, 1.2 MB, read in 0.4 s",
        "cursor updated_at is now at 2026-01-03",
        "3 rejected rows",
        "is not a value of BIGINT",
        "rejects/?table=orders",
        "Source and destination differ",
        "rows: 14 at the source, 9 in the destination",
        "1 schema change",
        "&lt;b&gt;",
        "Followed",
        "2 converted columns",
        "declared DECIMAL(10,2), kept as DOUBLE",
        "12,345 values",
        "Passed with warnings",
    ):
        assert words in page, words
    assert "committed in" not in page, "what took no time is not said"
    # They stay open while the page is refreshed.
    preserved = re.findall(r'<details class="quiet" id="([^"]+)" hx-preserve', page)
    assert len(preserved) == 4


def test_nothing_to_say(
    organization: Organization, stand: Connection, viewer: Person, client_urls: str
) -> None:
    run_with(organization, lane="copy")
    page = get(viewer.client, f"{client_urls}/runs/1/")
    assert "copied as it is" in page
    assert " = " not in re.search(r'<div class="report">.*?</div>', page, re.DOTALL)[0]  # type: ignore[index]
    assert "<details" not in page[page.index('id="results"') :].split('id="run-rail"')[0]


def test_runs_of_earlier_versions(organization: Organization, stand: Connection) -> None:
    run = run_with(organization, conversions=["total: kept as text", "old words"], seconds=1.25)
    step = make.steps(run)[0]
    from orchestration.selectors import results_of

    report = report_of(results_of(organization, [step])[step.pk][0])
    assert [(one.column, one.text) for one in report.conversions] == [
        ("total", "kept as text"),
        ("", "old words"),
    ]
    assert report.facts == "1.2 s"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, ""),
        ({"full_refresh": True}, "Full refresh"),
        ({"full_refresh": True, "tables": ["orders"]}, "Full refresh of orders"),
        ({"tables": ["orders"]}, "Only orders"),
        ({"cursor_from": "1", "cursor_to": "9"}, "Again from 1 up to 9"),
        (
            {"tables": ["orders"], "cursor_from": "1", "cursor_to": "9"},
            "orders again from 1 up to 9",
        ),
        ({"replay_rejects": True}, "Rejected rows again"),
        ({"tables": ["a", "b", "c", "d", "e"]}, "Only a, b, c and 2 more"),
    ],
)
def test_what_a_run_was_asked(asked: dict[str, Any], words: str) -> None:
    options = LoadOptions.of(**asked)
    run = Run(
        target="pipeline:orders",
        title="Orders (only this)",
        full_refresh=options.full_refresh,
        options=options.as_json() if asked else {},
        capsule={"nodes": {"pipeline:orders": {"name": "Orders"}}},
    )
    assert asked_words(run) == words
    assert title_of(run) == ("Orders" if asked else "Orders (only this)")


def test_the_pages_of_the_pipeline_have_it_too(
    organization: Organization, stand: Connection, viewer: Person, client_urls: str
) -> None:
    counts = {"rows_read": 12, "rows_loaded": 9, "rows_rejected": 3}
    run_with(organization, **counts, **SAID)
    orders = Pipeline.objects.for_organization(organization).get(slug="orders")
    url = f"{client_urls}/pipelines/{orders.slug}"
    page = get(viewer.client, f"{url}/")
    assert "#1</a>" in page
    assert "3 rejected rows wait" in page
    assert "data-poll" not in page.split('id="pipeline-tables"')[1].split(">")[0]
    shape = get(viewer.client, f"{url}/schema/")
    assert "New column" in shape
    assert "&lt;b&gt;" in shape
    assert "Followed" in shape
    users = get(viewer.client, f"{client_urls}/pipelines/users/schema/")
    assert "No schema changes yet" in users
    # While it runs, the tables refresh themselves.
    make.make_run(organization, "pipeline:orders")
    assert "data-poll" in get(viewer.client, f"{url}/", htmx=True)
    assert "data-poll" in get(viewer.client, f"{url}/tables/", htmx=True)
    compact = get(viewer.client, f"{client_urls}/runs/?target=pipeline:orders&compact=1")
    assert "Orders</span>" not in compact, "the page around it knows"
