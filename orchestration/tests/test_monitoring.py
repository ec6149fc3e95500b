"""What people watch runs with: the filtered list, many at once, a log of any length, what changed, the verdict."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conftest_site import Person
from connections.models import Connection
from orchestration import log_lines, run_filters, services
from orchestration.attention import attention_of
from orchestration.engine import log
from orchestration.log_lines import LineFilter
from orchestration.models import (
    Run,
    RunLogLine,
    RunStepAttempt,
    Schedule,
    Standing,
    Status,
    Tone,
    Trigger,
)
from orchestration.run_changes import changes_since, last_success
from orchestration.run_filters import RunFilter, page_of_runs
from orchestration.tests import factories as make
from orchestration.tests.pages import get
from pipelines.models import Pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def numbers(organization: Organization, **wanted: Any) -> list[int]:
    page = page_of_runs(organization, RunFilter(**wanted))
    return [run.number for run in (*page.active, *page.ended)]


def test_every_filter(
    organization: Organization, failed_run: Run, good_run: Run, schedule: Schedule
) -> None:
    third = make.make_run(organization, "dag", trigger=Trigger.API)
    Run.all_organizations.filter(pk=good_run.pk).update(requested_by="Mara", schedule=schedule)
    long_ago = timezone.now() - timedelta(days=40)
    Run.all_organizations.filter(pk=failed_run.pk).update(requested_at=long_ago)
    pipeline = Pipeline.objects.for_organization(organization).get(slug="users")
    pipeline.tags = ["core"]
    pipeline.save()
    assert numbers(organization) == [3, 2, 1]
    assert numbers(organization, status="failed") == [1]
    assert numbers(organization, person="mara") == [2]
    assert numbers(organization, trigger="api") == [third.number]
    assert numbers(organization, tag="core") == [3, 2]
    assert numbers(organization, tag="nightly") == [3]
    assert numbers(organization, tag="none") == []
    assert numbers(organization, target="schedule:nightly") == [2]
    assert numbers(organization, target="backfill:1") == []
    assert numbers(organization, target="transformation:stg_orders") == [3]
    assert numbers(organization, period="30d") == [3, 2]
    assert numbers(organization, until=timezone.now() - timedelta(days=30)) == [1]
    assert numbers(organization, since=timezone.now() + timedelta(days=1)) == []
    assert numbers(organization, query="#1") == [1]
    assert numbers(organization, query="password") == [1]


def test_what_has_no_index_is_looked_for_in_the_newest_runs_and_leads_further_back(
    organization: Organization,
    editor: Person,
    client_urls: str,
    failed_run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        run = make.make_run(organization, "pipeline:users")
        make.finish(make.steps(run)[0], [make.table("users"), make.done()])
    organization.refresh_from_db()
    monkeypatch.setattr(run_filters, "WINDOW", 2)
    page = page_of_runs(organization, RunFilter(query="password"))
    assert (page.ended, page.looked_to) == ([], 3)
    page = page_of_runs(organization, RunFilter(query="password"), before=page.looked_to)
    assert [run.number for run in page.ended] == [1]
    assert page.looked_to is None
    text = get(editor.client, f"{client_urls}/runs/?q=password")
    assert 'href="?q=password&amp;before=3"' in text


def test_pages_forth_and_back(organization: Organization, stand: Connection) -> None:
    for _ in range(5):
        services.cancel_run(run=make.make_run(organization, "pipeline:users"), actor=make.OPERATOR)
    first = page_of_runs(organization, RunFilter(), size=2)
    assert [run.number for run in first.ended] == [5, 4]
    second = page_of_runs(organization, RunFilter(), before=first.before, size=2)
    assert [run.number for run in second.ended] == [3, 2]
    third = page_of_runs(organization, RunFilter(), before=second.before, size=2)
    assert ([run.number for run in third.ended], third.before) == ([1], None)
    back = page_of_runs(organization, RunFilter(), after=third.after, size=2)
    assert [run.number for run in back.ended] == [3, 2]
    assert page_of_runs(organization, RunFilter(), after=back.after, size=2).after is None


def test_many_at_once(
    organization: Organization, editor: Person, viewer: Person, client_urls: str, failed_run: Run
) -> None:
    run = make.make_run(organization, "pipeline:users")
    url, data = f"{client_urls}/runs/bulk/", {"numbers": [run.number, 1, 77], "do": "cancel"}
    assert viewer.client.post(url, data).status_code == 403
    answer = editor.client.post(url, data | {"here": "status=active&x=<b>"})
    assert answer["Location"] == f"{client_urls}/runs/?status=active&x=%3Cb%3E"
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    page = get(editor.client, f"{client_urls}/runs/")
    assert "1 run is being cancelled." in page
    assert "2 were left as they are." in page
    assert "Run #1 has ended already." in page
    assert "There is no run #77 in this organization." in page
    editor.client.post(url, {"numbers": [1, run.number], "do": "retry"})
    assert list(numbers(organization, trigger="retry")) == [4, 3]
    assert editor.client.post(url, {"do": "retry"}).status_code == 422
    everything = {"numbers": range(1, 202), "do": "retry"}
    assert editor.client.post(url, everything).status_code == 422
    assert 'class="run-check"' not in get(viewer.client, f"{client_urls}/runs/")


def test_strip_of_marks(editor: Person, client_urls: str, failed_run: Run, good_run: Run) -> None:
    url = f"{client_urls}/runs/?strip=1&target="
    strip = get(editor.client, f"{url}pipeline:orders")
    assert "<html" not in strip
    assert 'href="/o/acme/runs/1/" aria-label="#1, Failed, ' in strip
    assert re.findall(r'id="strip-(\d+)"', get(editor.client, f"{url}connection:warehouse")) == [
        "1",
        "2",
    ]
    assert "It has not run yet." in get(editor.client, f"{url}transformation:stg_orders")


@pytest.fixture
def long_log(failed_run: Run) -> Run:
    """Numbers 1 to 1,200 of which every hundredth is an error."""
    RunLogLine.all_organizations.filter(run=failed_run).delete()
    RunLogLine.all_organizations.bulk_create(
        RunLogLine(
            organization=failed_run.organization,
            run=failed_run,
            number=number,
            level="error" if number % 100 == 0 else "info",
            scope="load",
            text=f"line {number} says <b>",
        )
        for number in range(1, 1201)
    )
    Run.all_organizations.filter(pk=failed_run.pk).update(last_line=1200)
    failed_run.refresh_from_db()
    return failed_run


def shown(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<li id="L(\d+)"', page)]


def test_the_page_has_the_end_of_a_log_or_what_stands_around_a_line(
    editor: Person, client_urls: str, long_log: Run
) -> None:
    url = f"{client_urls}/runs/1/"
    page = get(editor.client, url)
    assert (shown(page)[0], shown(page)[-1]) == (701, 1200)
    assert 'href="?before=701#log-h"' in page
    assert "<b>" not in page.split('class="lines"')[1].split("</ol>")[0]
    older = get(editor.client, f"{url}?before=701")
    assert (shown(older)[0], shown(older)[-1]) == (201, 700)
    around = get(editor.client, f"{url}?line=600")
    assert 600 in shown(around)
    assert 'data-line="600"' in around
    assert "data-middle" in around
    assert shown(get(editor.client, f"{url}?level=error")) == list(range(100, 1201, 100))
    assert shown(get(editor.client, f"{url}?q=line+77+says")) == [77]
    assert "No line matches." in get(editor.client, f"{url}?q=zebra")


def test_the_log_is_read_in_parts(
    editor: Person, client_urls: str, long_log: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{client_urls}/runs/1/log/"

    def asked(query: str) -> dict[str, Any]:
        answer: dict[str, Any] = editor.client.get(f"{url}?{query}").json()
        return answer

    end = asked("before=0")
    assert [end["lines"][0]["n"], end["lines"][-1]["n"]] == [701, 1200]
    assert (end["first"], end["begin"], end["newest"]) == (701, False, 1200)
    first = asked("before=201")
    assert ([line["n"] for line in first["lines"]], first["begin"]) == (list(range(1, 201)), True)
    around = asked("around=600")
    assert 600 in [line["n"] for line in around["lines"]]
    assert not around["end"]
    assert [line["n"] for line in asked("after=0&level=error")["lines"]] == list(
        range(100, 1201, 100)
    )
    monkeypatch.setattr(log_lines, "LOOK", 300)
    looked = asked("before=1201&q=line+77+says")
    assert (looked["lines"], looked["first"], looked["begin"]) == ([], 901, False)
    looked = asked("before=301&q=line+77+says")
    assert ([line["n"] for line in looked["lines"]], looked["begin"]) == ([77], True)
    forwards = asked("after=0&q=nothing")
    assert (forwards["lines"], forwards["next"], forwards["done"]) == ([], 300, False)
    assert asked("after=1200&q=nothing")["done"]


def test_the_download_is_the_whole_log_in_parts(
    editor: Person, client_urls: str, long_log: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "BATCH", 500)
    answer = editor.client.get(f"{client_urls}/runs/1/log.txt")
    parts = list(answer.streaming_content)  # type: ignore[attr-defined]
    assert len(parts) == 3
    text = b"".join(parts).decode()
    assert text.count("\n") == 1200
    assert "ERROR [load] line 100 says <b>" in text


def test_a_full_log_keeps_what_tells_how_the_run_went_on(
    failed_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunLogLine.all_organizations.filter(run=failed_run).delete()
    Run.all_organizations.filter(pk=failed_run.pk).update(last_line=0)
    monkeypatch.setattr(log, "MAX_LINES", 5)
    monkeypatch.setattr(log, "MAX_TELLING", 2)
    log.write(failed_run, [log.line("info", "load", f"row {n}") for n in range(8)])
    log.write(failed_run, [log.line("error", "load", "broken"), log.line("info", "load", "row")])
    log.note(failed_run, "info", "Run #1 failed.")
    found = log_lines.last_lines(failed_run, 100).lines
    assert [line.number for line in found] == [1, 2, 3, 4, 5, 9, 11]
    assert found[4].text.startswith("The log is cut here: a run keeps 5 lines.")
    assert found[-1].text == "Run #1 failed."
    log.write(failed_run, [log.line("error", "load", f"again {n}") for n in range(9)])
    assert len(log_lines.last_lines(failed_run, 100, LineFilter(text="again")).lines) <= 2


def test_attempts_and_what_they_used(
    editor: Person, client_urls: str, organization: Organization, failed_run: Run
) -> None:
    step = make.steps(failed_run)[0]
    RunStepAttempt.all_organizations.filter(step=step).delete()
    for number, status in ((1, "lost"), (2, "failed")):
        RunStepAttempt.all_organizations.create(
            organization=organization,
            step=step,
            number=number,
            worker=f"host-{number}:7",
            finished_at=timezone.now(),
            status=status,
            error="The server refused the password." if number == 2 else "",
        )
    step.peak_memory_mb, step.cpu_seconds = 120, 3.5
    step.save()
    page = get(editor.client, f"{client_urls}/runs/1/")
    assert "Worker lost" in page
    assert "host-1:7" in page
    assert "120 MB of memory, 3.5 s of processor time" in page


def test_what_changed_since_the_last_success(
    editor: Person, client_urls: str, organization: Organization, good_run: Run
) -> None:
    capsule = {
        "nodes": {
            "pipeline:users": {
                "name": "Users",
                "resources": [{"name": "users", "cursor_column": ""}],
                "sql": "select 1\nfrom a\n",
            }
        },
        "edges": [],
        "versions": {"dlt": "1.1"},
        "fingerprints": {"warehouse": "aa11"},
    }
    Run.all_organizations.filter(pk=good_run.pk).update(capsule=capsule)
    run = make.make_run(organization, "pipeline:users")
    make.finish(make.steps(run)[0], [make.failed()])
    node = {
        "name": "Users",
        "resources": [{"name": "users", "cursor_column": "updated_at"}],
        "sql": "select 2\nfrom a\n",
    }
    later = capsule | {
        "nodes": {"pipeline:users": node},
        "edges": [["pipeline:users", "transformation:stg"]],
        "versions": {"dlt": "1.2"},
        "fingerprints": {"warehouse": "bb22"},
    }
    Run.all_organizations.filter(pk=run.pk).update(capsule=later)
    run.refresh_from_db()
    assert last_success(run) == good_run
    comparison = changes_since(run, last_success(run))
    assert comparison is not None
    assert comparison.count == 5
    page = get(editor.client, f"{client_urls}/runs/2/")
    assert "5 things are different since run #1, the last success." in page
    assert "users: SQL, resources · users · cursor column" in page
    page = get(editor.client, f"{client_urls}/runs/2/configuration/")
    assert '<ins class="mono sm">updated_at</ins>' in page
    assert '<del class="mono sm">1.1</del> → <ins class="mono sm">1.2</ins>' in page
    assert '<tr data-d="add"><td class="s">+</td><td>select 2</td></tr>' in page
    assert "users → stg" in page
    same = get(editor.client, f"{client_urls}/runs/2/configuration/?against=2")
    assert "Nothing: settings, connections, SQL, graph and versions are the same." in same
    alone = get(editor.client, f"{client_urls}/runs/1/configuration/")
    assert "nothing to compare with" in alone


def test_standings_follow_the_runs(
    organization: Organization, failed_run: Run, good_run: Run
) -> None:
    rows = {row.pipeline.slug: row for row in Standing.objects.for_organization(organization)}
    orders, users = rows["orders"], rows["users"]
    assert (orders.tone, orders.failures, orders.run_number) == (Tone.BAD, 1, 1)
    assert orders.error == "The server refused the password."
    assert (users.tone, users.rejected_rows, users.rejected_table) == (Tone.WARN, 3, "users")
    again = make.make_run(organization, "pipeline:orders")
    make.finish(make.steps(again)[0], [make.table(), make.done()])
    orders.refresh_from_db()
    assert (orders.tone, orders.failures, orders.run_number) == (Tone.GOOD, 0, 3)
    assert orders.succeeded_at is not None


def test_the_verdict(
    organization: Organization,
    editor: Person,
    client_urls: str,
    failed_run: Run,
    good_run: Run,
    schedule: Schedule,
) -> None:
    page = get(editor.client, f"{client_urls}/")
    assert "2 things need attention" in page
    assert "1 of them a failure" in page
    now = timezone.now()
    rows = Schedule.all_organizations.filter(pk=schedule.pk)
    rows.update(next_run_at=now - timedelta(minutes=5))
    found = attention_of(organization, can_edit=True)
    assert (found.bad, found.warn) == (2, 1)
    assert "is 5 m 00 s late" in [item.what for item in found.items]
    for name in ("orders", "users"):
        run = make.make_run(organization, f"pipeline:{name}")
        make.finish(make.steps(run)[0], [make.table(name), make.done()])
    rows.update(next_run_at=now + timedelta(hours=1), last_run_at=now - timedelta(hours=3))
    assert attention_of(organization, can_edit=True).verdict == "All good"
    assert "The last run of everything went well." in get(editor.client, f"{client_urls}/")
    Standing.all_organizations.update(succeeded_at=now - timedelta(hours=30))
    stale = attention_of(organization, can_edit=True)
    assert [item.what for item in stale.items] == ["is stale"]
    waiting = make.make_run(organization, "pipeline:orders")
    step = make.steps(waiting)[0]
    step.waiting_for = "a slot of Warehouse, 2 are before it"
    step.save()
    page = get(editor.client, f"{client_urls}/")
    assert "waits for a slot of Warehouse, 2 are before it" in page
    assert "0 running, 1 waiting" in page
    assert "a slot of Warehouse" in get(editor.client, f"{client_urls}/runs/")


def test_a_filter_of_the_page_is_one_of_the_api(
    organization: Organization, editor: Person, client_urls: str, failed_run: Run, good_run: Run
) -> None:
    base = f"/api/v1/organizations/{organization.slug}/runs/"
    queries = (
        "status=failed", "kind=pipeline", "target=pipeline:users", "q=password", "period=7d",
        "person=Command", "trigger=manual", "tag=nightly", "since=2026-01-01T00:00:00Z",
        "until=2026-01-01T00:00:00Z",
    )  # fmt: skip
    for query in queries:
        page = get(editor.client, f"{client_urls}/runs/?{query}", htmx=True)
        answer = editor.client.get(f"{base}?{query}")
        assert answer.status_code == 200, answer.content
        found = [str(row["number"]) for row in answer.json()["results"]]
        assert found == re.findall(r"#(\d+)</a>", page), query


def test_the_api_takes_many_at_once_and_narrows_logs(
    organization: Organization, editor: Person, long_log: Run
) -> None:
    base = f"/api/v1/organizations/{organization.slug}/runs"
    lines = editor.client.get(f"{base}/1/logs/?level=error&q=line+900").json()
    assert [line["n"] for line in lines["lines"]] == [900]
    before = editor.client.get(f"{base}/1/logs/?before=3").json()
    assert ([line["n"] for line in before["lines"]], before["done"]) == ([1, 2], True)
    steps = editor.client.get(f"{base}/1/steps/").json()
    assert "attempts" in steps[0]
