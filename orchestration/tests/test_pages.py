"""The pages: fragments say what pages say, each role sees its actions, strangers see nothing."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conftest_site import Person
from connections.models import Connection
from orchestration.models import Run, Schedule, Status
from orchestration.tests import factories as make
from orchestration.tests.pages import get
from pipelines import services as pipelines
from pipelines.models import Pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def test_a_new_organization_gets_three_steps(
    owner: Person, viewer: Person, client_urls: str
) -> None:
    text = get(owner.client, f"{client_urls}/")
    assert "Three steps to the first table" in text
    assert "New connection" in text
    assert "New connection" not in get(viewer.client, f"{client_urls}/")


def test_overview(
    owner: Person,
    viewer: Person,
    client_urls: str,
    failed_run: Run,
    good_run: Run,
    schedule: Schedule,
) -> None:
    page = get(owner.client, f"{client_urls}/?p=7d")
    assert "Runs, last 7 days" in page
    assert "The server refused the password." in page
    assert "Fix connection" in page
    assert "loaded with 3 rejected rows" in page
    assert f'href="{client_urls}/pipelines/users/rejects/?table=users"' in page
    assert "At 06:00, Monday through Friday" in page
    fragment = get(owner.client, f"{client_urls}/?p=7d", htmx=True)
    assert "<html" not in fragment
    assert 'data-poll="15"' in fragment
    assert "loaded with 3 rejected rows" in fragment
    assert "New pipeline" not in get(viewer.client, f"{client_urls}/")
    again = make.make_run(failed_run.organization, "pipeline:orders")
    make.finish(make.steps(again)[0], [make.failed()])
    assert "failed 2 times in a row" in get(owner.client, f"{client_urls}/")


def test_run_list(
    editor: Person, viewer: Person, client_urls: str, failed_run: Run, good_run: Run
) -> None:
    url = f"{client_urls}/runs/"
    page, fragment = get(editor.client, url), get(editor.client, url, htmx=True)
    for text in (page, fragment):
        assert "#1</a>" in text
        assert "#2</a>" in text
    assert "<html" not in fragment
    assert "2 of 2 runs" in fragment
    assert "/runs/1/retry/" in page
    assert "Run everything" in page
    reading = get(viewer.client, url)
    assert "/runs/1/retry/" not in reading
    assert "Run everything" not in reading

    def found(query: str) -> list[str]:
        return re.findall(r"#(\d+)</a>", get(editor.client, f"{url}?{query}", htmx=True))

    assert found("status=failed") == ["1"]
    assert found("status=active") == []
    assert found("q=%232") == ["2"]
    assert found("q=users") == ["2"]
    assert found("kind=pipeline&period=24h") == ["2", "1"]
    assert found("kind=dag") == []
    assert found("target=pipeline:users") == ["2"]
    assert found("target=connection:warehouse") == ["2", "1"]
    assert found("before=2") == ["1"]
    assert found("after=1") == ["2"]
    assert "No run matches" in get(editor.client, f"{url}?status=cancelled")
    make.make_run(failed_run.organization, "dag")
    assert found("target=transformation:stg_orders") == ["3"]
    assert found("") == ["3", "2", "1"]
    compact = get(editor.client, f"{url}?target=pipeline:users&compact=1")
    assert "<html" not in compact
    assert re.findall(r"#(\d+)</a>", compact) == ["3", "2"]
    assert 'data-poll="5"' in compact


def test_starting_once_cancelling_and_repeating(
    editor: Person, viewer: Person, client_urls: str, stand: Connection
) -> None:
    data = {"target": "pipeline:orders", "select": "orders+", "token": "abc", "full_refresh": "1"}
    assert viewer.client.post(f"{client_urls}/runs/create/", data).status_code == 403
    for _ in range(2):
        response = editor.client.post(f"{client_urls}/runs/create/", data)
        assert response["Location"] == f"{client_urls}/runs/1/"
    run = Run.all_organizations.get()
    assert run.full_refresh
    assert run.requested_by == "Edith"
    assert viewer.client.post(f"{client_urls}/runs/1/cancel/").status_code == 403
    page = get(editor.client, f"{client_urls}/runs/1/")
    assert 'id="cancel-run"' in page
    assert 'id="cancel-run"' not in get(viewer.client, f"{client_urls}/runs/1/")
    editor.client.post(f"{client_urls}/runs/1/cancel/")
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    assert editor.client.post(f"{client_urls}/runs/1/cancel/").status_code == 409
    editor.client.post(f"{client_urls}/runs/1/retry/", {"from_failure": "1"})
    assert Run.all_organizations.get(number=2).retry_of == run
    missing = editor.client.post(f"{client_urls}/runs/create/", {"target": "pipeline:none"})
    assert missing.status_code == 404


def test_run_page_of_a_failure(
    editor: Person, viewer: Person, client_urls: str, failed_run: Run
) -> None:
    url = f"{client_urls}/runs/1/"
    page = get(editor.client, url)
    assert "Orders failed." in page
    assert "Give another password." in page
    assert "Run again from failure" in page
    assert "Fix connection" in page
    assert "Wait for a worker" in page
    assert "data-done" in page
    reading = get(viewer.client, url)
    assert "Orders failed." in reading
    assert "Run again" not in reading
    fragment = get(editor.client, url, htmx=True)
    assert fragment.count("hx-swap-oob") == 6
    assert "data-poll" not in fragment  # it has ended
    assert "data-poll" in get(
        editor.client, f"{client_urls}/runs/{_queued(failed_run)}/", htmx=True
    )
    capsule = get(viewer.client, f"{url}configuration/")
    assert "&quot;raw_orders&quot;" in capsule


def _queued(run: Run) -> int:
    return make.make_run(run.organization, "pipeline:users").number


def test_run_page_accounts_for_rows_and_shows_failing_ones(
    editor: Person, client_urls: str, good_run: Run
) -> None:
    page = get(editor.client, f"{client_urls}/runs/1/")
    assert "14 read, 2 filtered, 3 rejected" in page
    run = make.make_run(good_run.organization, "transformation:stg_orders")
    test = {
        "event": "result",
        "kind": "test",
        "name": "unique_stg_orders_id",
        "model": "stg_orders",
        "column": "id",
        "test_kind": "unique",
        "status": "failed",
        "failures": 2,
        "samples": {
            "columns": [{"name": "id", "type": "text"}, {"name": "n", "type": "integer"}],
            "rows": [["<b>7</b>", None]],
            "truncated": False,
        },
    }
    make.finish(
        make.steps(run)[0], [make.model("stg_orders"), test, make.failed("A test failed.", "x")]
    )
    page = get(editor.client, f"{client_urls}/runs/2/")
    assert "id: unique: 2 failing rows" in page
    assert "&lt;b&gt;7&lt;/b&gt;" in page
    assert ">NULL</td>" in page
    assert "Open stg_orders" in page


def test_run_page_says_what_is_waited_for_and_that_a_worker_was_lost(
    editor: Person, client_urls: str, stand: Connection, organization: Organization
) -> None:
    first = make.make_run(organization, "pipeline:orders")
    second = make.make_run(organization, "pipeline:users")
    step = make.take(make.steps(first)[0])
    from orchestration.engine import claims

    claims.claim(make.steps(second)[0].pk)
    assert "It waits for “Warehouse”, in use by run #1" in get(
        editor.client, f"{client_urls}/runs/2/"
    )
    step.times_lost, step.attempt = 1, 2
    step.save(update_fields=["times_lost", "attempt"])
    page = get(editor.client, f"{client_urls}/runs/1/")
    assert "resumed after its worker was lost" in page
    assert "attempt 2 of 3" in page


def test_run_log(editor: Person, client_urls: str, failed_run: Run) -> None:
    url = f"{client_urls}/runs/1/log/"
    page = editor.client.get(f"{url}?after=0").json()
    assert [line["n"] for line in page["lines"]] == list(range(1, page["next"] + 1))
    assert page["done"] is True
    assert page["state"] == "failed"
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", page["lines"][0]["t"])
    rest = editor.client.get(f"{url}?after={page['next'] - 1}").json()
    assert len(rest["lines"]) == 1
    assert editor.client.get(f"{url}?after=x").json()["lines"] == page["lines"]
    text = b"".join(editor.client.get(f"{client_urls}/runs/1/log.txt")).decode()
    assert len(text.splitlines()) == len(page["lines"])
    assert "The server refused the password." in text
    # Without ASGI a stream would hold a thread of the server.
    assert editor.client.get(f"{client_urls}/runs/1/stream/").status_code == 501
    active = make.make_run(failed_run.organization, "pipeline:users")
    assert editor.client.get(f"{client_urls}/runs/{active.number}/log/").json()["done"] is False


def test_trash(
    editor: Person, viewer: Person, client_urls: str, schedule: Schedule, stand: Connection
) -> None:
    editor.client.post(f"{client_urls}/schedules/nightly/delete/")
    pipeline = Pipeline.all_organizations.get(slug="users")
    pipelines.delete_pipeline(pipeline=pipeline, actor=make.OPERATOR)
    page = get(editor.client, f"{client_urls}/trash/")
    assert "Nightly" in page
    assert "Users" in page
    assert "restore/" not in get(viewer.client, f"{client_urls}/trash/")
    for kind, pk in (("schedule", schedule.pk), ("pipeline", pipeline.pk)):
        url = f"{client_urls}/trash/{kind}/{pk}/restore/"
        assert viewer.client.post(url).status_code == 403
        assert editor.client.post(url).status_code == 302
        assert editor.client.post(url).status_code == 404
    assert editor.client.post(f"{client_urls}/trash/run/1/restore/").status_code == 404
    assert "The trash is empty" in get(editor.client, f"{client_urls}/trash/")


def test_palette(
    editor: Person, viewer: Person, client_urls: str, schedule: Schedule, good_run: Run
) -> None:
    url = f"{client_urls}/palette/"
    assert "New pipeline" in get(editor.client, url)
    reading = get(viewer.client, url)
    assert "Lineage" in reading
    assert "New pipeline" not in reading
    assert "Audit" not in reading
    for query, found in (
        ("order", "Orders"), ("stg", "stg_orders"), ("ware", "Warehouse"),
        ("night", "Nightly"), ("%231", "#1 Users"), ("runs", "Runs"),
    ):  # fmt: skip
        assert found in get(editor.client, f"{url}?q={query}"), query
    assert "Nothing found" in get(editor.client, f"{url}?q=zzzz")


PATHS = (
    "", "runs/", "runs/1/", "runs/1/configuration/", "runs/1/log/", "runs/1/log.txt",
    "runs/1/stream/", "lineage/", "lineage/dependencies/create/", "schedules/",
    "schedules/create/", "schedules/nightly/edit/", "schedules/preview/", "palette/", "trash/",
)  # fmt: skip


def test_strangers_and_other_organizations(
    stranger: Person, client_urls: str, failed_run: Run, schedule: Schedule
) -> None:
    for path in PATHS:
        assert stranger.client.get(f"{client_urls}/{path}").status_code == 404, path
    for path in ("runs/1/", "runs/1/log/", "schedules/nightly/edit/"):
        assert stranger.client.get(f"/o/elsewhere/{path}").status_code == 404, path
    for path in ("runs/1/cancel/", "runs/1/retry/", "schedules/nightly/delete/"):
        assert stranger.client.post(f"/o/elsewhere/{path}").status_code == 404, path
    body = {"target": "pipeline:orders"}
    assert stranger.client.post("/o/elsewhere/runs/create/", body).status_code == 404


def test_pages_take_no_more_queries_for_more_things(
    editor: Person,
    client_urls: str,
    organization: Organization,
    stand: Connection,
    schedule: Schedule,
    good_run: Run,
) -> None:
    def counts() -> dict[str, int]:
        found = {}
        for path in ("", "runs/", "runs/1/", "lineage/", "schedules/", "palette/?q=p", "trash/"):
            with CaptureQueriesContext(connection) as captured:
                get(editor.client, f"{client_urls}/{path}")
            found[path] = len(captured)
        return found

    get(editor.client, f"{client_urls}/")  # what is written once a session
    before = counts()
    for number in range(3):
        make.make_pipeline(organization, f"Part {number}", stand, dataset=f"raw_p{number}")
        sql = f"select * from {{{{ source('raw_p{number}', 'orders') }}}}"
        make.make_transformation(organization, f"p{number}", stand, sql)
        run = make.make_run(organization, f"pipeline:part-{number}")
        make.finish(make.steps(run)[0], [make.table(rows_loaded=8, rows_rejected=2), make.done()])
    assert counts() == before


def test_the_admin_cancels_repeats_and_pauses(
    owner: Person, organization: Organization, failed_run: Run, schedule: Schedule
) -> None:
    owner.user.is_staff = owner.user.is_superuser = True
    owner.user.save()
    for name in (
        "node", "dependency", "schedule", "run", "runstep", "runstepresult", "runlogline"
    ):  # fmt: skip
        url = reverse(f"admin:orchestration_{name}_changelist")
        assert owner.client.get(f"{url}?q=orders").status_code == 200, name
    url = reverse("admin:orchestration_run_changelist")
    detail = reverse("admin:orchestration_run_change", args=[failed_run.pk])
    assert "The server refused the password." in owner.client.get(detail).content.decode()
    act = {"_selected_action": [failed_run.pk], "action": "requeue"}
    owner.client.post(url, act)
    again = Run.all_organizations.get(retry_of=failed_run)
    assert again.requested_by == "Olga (operator)"
    owner.client.post(url, {"_selected_action": [again.pk], "action": "cancel"})
    again.refresh_from_db()
    assert again.status == Status.CANCELLED
    refused = owner.client.post(
        url, {"_selected_action": [again.pk], "action": "cancel"}, follow=True
    )
    assert "has ended already" in refused.content.decode()
    url = reverse("admin:orchestration_schedule_changelist")
    owner.client.post(url, {"_selected_action": [schedule.pk], "action": "pause"})
    schedule.refresh_from_db()
    assert not schedule.is_active
