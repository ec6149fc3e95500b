"""Problems: the pages, the API, the operators' list, and the explanation on the run's page."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conftest_site import Person
from connections.models import Connection
from orchestration.models import Run, RunStep
from orchestration.problems import problem_of, problems_of
from orchestration.tests import factories as make
from orchestration.tests.pages import get
from orchestration.unexplained import meaning_of, unexplained
from tenants.models import Organization

pytestmark = pytest.mark.django_db

SECRET_NAME = "olga@example.com"


def failing(
    organization: Organization,
    target: str,
    message: str,
    code: str = "invalid",
    signature: str = "",
) -> RunStep:
    """A run of the target that ends in that error; its failed step."""
    run = make.make_run(organization, target)
    step = make.steps(run)[0]
    event: dict[str, Any] = make.failed(message, code)
    make.finish(step, [{**event, "remedy": "", "signature": signature}])
    step.refresh_from_db()
    return step


@pytest.fixture
def problems(organization: Organization, stand: Connection) -> list[RunStep]:
    """The same missing table twice in two pipelines, and one error nobody knows."""
    table = 'Loading raw.{} failed: relation "raw.{}" does not exist.'
    return [
        failing(
            organization,
            "pipeline:orders",
            table.format("orders", "orders"),
            "invalid",
            "sqlstate:42P01",
        ),
        failing(
            organization,
            "pipeline:users",
            table.format("users", "users"),
            "invalid",
            "sqlstate:42P01",
        ),
        failing(
            organization,
            "pipeline:users",
            f"Loading users failed: the flux of {SECRET_NAME} is inverted.",
            "invalid",
            "sqlstate:F0001",
        ),
    ]


def test_errors_of_one_cause_are_one_problem(
    organization: Organization, problems: list[RunStep]
) -> None:
    assert problems[0].fingerprint == problems[1].fingerprint != problems[2].fingerprint
    assert problems[0].error_signature == "sqlstate:42P01"
    unknown, missing = problems_of(organization)
    assert (missing.count, unknown.count) == (2, 1)
    assert missing.title == "The table is not at the source"
    assert [name for _kind, name in missing.affected] == ["Orders", "Users"]
    assert missing.latest.pk == problems[1].pk
    assert missing.first_at <= missing.last_at <= timezone.now()
    assert sum(missing.by_day) == 2
    assert unknown.explanation is None
    assert "flux" in unknown.title
    assert not missing.is_over


def test_a_problem_is_over_when_everything_it_hit_has_succeeded(
    organization: Organization, problems: list[RunStep]
) -> None:
    fingerprint = problems[0].fingerprint
    for target, is_over in (("pipeline:users", False), ("pipeline:orders", True)):
        make.finish(make.steps(make.make_run(organization, target))[0], [make.done()])
        found = problem_of(organization, fingerprint)
        assert found is not None
        assert found.is_over is is_over


def test_queries_do_not_grow_with_problems(
    organization: Organization, problems: list[RunStep], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(7):
        problems_of(organization)


def test_the_pages(
    viewer: Person, client_urls: str, organization: Organization, problems: list[RunStep]
) -> None:
    page = get(viewer.client, f"{client_urls}/problems/")
    assert "The table is not at the source" in page
    assert "Not known yet" in page
    assert "2 problems" in page
    fragment = get(viewer.client, f"{client_urls}/problems/?p=all", htmx=True)
    assert "<html" not in fragment
    group = get(viewer.client, f"{client_urls}/problems/{problems[0].fingerprint}/")
    assert "Choose the table anew in the pipeline" in group
    assert "an editor of this organization" in group
    assert f'href="{client_urls}/pipelines/users/tables/"' in group
    for step in problems[:2]:
        assert f'href="{client_urls}/runs/{step.run.number}/"' in group
    unknown = get(viewer.client, f"{client_urls}/problems/{problems[2].fingerprint}/")
    assert "is not known yet" in unknown
    assert get(viewer.client, f"{client_urls}/problems/0000000000000000/", status=404)


def test_no_problems(viewer: Person, client_urls: str) -> None:
    assert "Nothing has failed in this time" in get(viewer.client, f"{client_urls}/problems/")


def test_pages_of_many_runs(
    viewer: Person, client_urls: str, organization: Organization, problems: list[RunStep]
) -> None:
    step = problems[0]
    copies = []
    for number in range(60):
        run = Run.all_organizations.get(pk=step.run_id)
        run.pk, run.number = None, 1000 + number
        run.save()
        copy = RunStep.all_organizations.get(pk=step.pk)
        copy.pk, copy.run, copy.finished_at = None, run, timezone.now()
        copies.append(copy)
    RunStep.all_organizations.bulk_create(copies)
    url = f"{client_urls}/problems/{step.fingerprint}/"
    first = get(viewer.client, url)
    assert ">#1059<" in first
    assert ">#1000<" not in first
    before = RunStep.all_organizations.get(run__number=1010).pk
    assert f"before={before}" in first
    assert ">#1000<" in get(viewer.client, f"{url}?before={before}")


def test_the_run_page_explains(
    editor: Person, client_urls: str, organization: Organization, problems: list[RunStep]
) -> None:
    page = get(editor.client, f"{client_urls}/runs/{problems[0].run.number}/")
    assert "Orders failed. The table is not at the source." in page
    assert "What to do" in page
    assert "Choose the table anew in the pipeline" in page
    assert "Open its tables" in page
    assert f"/problems/{problems[0].fingerprint}/" in page
    # The database's own words stand below, once.
    assert page.count("relation &quot;raw.orders&quot; does not exist") >= 1
    assert "callout-detail" in page


def test_our_own_message_stands_above_with_its_own_remedy(
    editor: Person, client_urls: str, organization: Organization, stand: Connection
) -> None:
    run = make.make_run(organization, "pipeline:orders")
    event = make.failed('There is no column "chnaged" in orders.', "missing_column")
    make.finish(make.steps(run)[0], [{**event, "remedy": "Did you mean changed?"}])
    page = get(editor.client, f"{client_urls}/runs/{run.number}/")
    assert "Did you mean changed?" in page
    assert "A column that the pipeline names" in page
    assert '<pre class="callout-detail"' not in page


def test_the_api(owner: Person, organization: Organization, problems: list[RunStep]) -> None:
    url = f"/api/v1/organizations/{organization.slug}/problems/"
    unknown, missing = owner.client.get(url).json()
    assert missing["explanation"]["key"] == "missing-table"
    assert missing["explanation"]["who"] == "editor"
    assert missing["affected"] == ["Orders", "Users"]
    assert missing["signature"] == "sqlstate:42P01"
    assert missing["latest_run"] == problems[1].run.number
    assert unknown["explanation"] is None
    assert len(owner.client.get(f"{url}?limit=1").json()) == 1
    assert owner.client.get(f"{url}{missing['fingerprint']}/").json() == missing
    assert owner.client.get(f"{url}0000000000000000/").status_code == 404
    assert owner.client.get(f"{url}?days=0").status_code in {400, 422}


def test_operators_see_unknown_errors_without_anybodys_data(
    organization: Organization, problems: list[RunStep]
) -> None:
    (row,) = unexplained()
    assert (row.signature, row.count, row.organizations) == ("sqlstate:F0001", 1, 1)
    assert row.meaning == "LockFileExists"
    admin = get_user_model().objects.create_superuser("root@example.com", password="tulip-47-tulip")
    client = Client()
    client.force_login(admin)
    url = reverse("admin:orchestration_unexplainederror_changelist")
    page = client.get(url).content.decode()
    assert "sqlstate:F0001" in page
    assert "LockFileExists" in page
    for data in (SECRET_NAME, "flux", "Users", "users", organization.name):
        assert data not in page.split('<div id="content"')[1], data


def test_others_do_not_see_that_list(owner: Person) -> None:
    url = reverse("admin:orchestration_unexplainederror_changelist")
    assert owner.client.get(url).status_code in {302, 403, 404}


@pytest.mark.parametrize(
    ("signature", "meaning"),
    [
        ("sqlstate:42P01", "UndefinedTable"),
        ("mysql:1045", "ACCESS_DENIED_ERROR"),
        ("sqlstate:ZZZZZ", ""),
        ("exit:-9", ""),
        ("", ""),
    ],
)
def test_names_of_signatures(signature: str, meaning: str) -> None:
    assert meaning_of(signature) == meaning
