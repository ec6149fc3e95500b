"""A run that retention took: its address says that it was here, and is no riddle."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conftest_site import Person
from orchestration import retention
from orchestration.models import Run
from tenants.models import Organization, PlatformSettings

pytestmark = pytest.mark.django_db


@pytest.fixture
def gone(organization: Organization, failed_run: Run) -> int:
    """The number of a run that was pruned because of its age."""
    settings, _ = PlatformSettings.objects.get_or_create(pk=1)
    PlatformSettings.objects.filter(pk=settings.pk).update(run_retention_days=30)
    long_ago = timezone.now() - timedelta(days=31)
    Run.all_organizations.update(requested_at=long_ago, finished_at=long_ago)
    retention.prune(timezone.now())
    assert not Run.all_organizations.exists()
    return failed_run.number


def _get(person: Person, path: str) -> Any:
    return person.client.get(path)


def test_pages_say_that_it_was_here(
    organization: Organization, viewer: Person, stranger: Person, gone: int
) -> None:
    base = f"/o/{organization.slug}/runs"
    page = _get(viewer, f"{base}/{gone}/")
    assert page.status_code == 410
    text = page.content.decode()
    assert f"Run #{gone} was here and is not kept any more." in text
    assert "Runs are kept for 30 days here" in text
    assert f'href="{base}/"' in text
    # What never was, and what is another organization's, stays a 404.
    assert _get(viewer, f"{base}/{gone + 1}/").status_code == 404
    assert _get(viewer, f"{base}/0/").status_code == 404
    assert _get(viewer, f"{base}/{10**30}/").status_code == 404
    assert _get(stranger, f"{base}/{gone}/").status_code == 404


def test_the_api_says_so_too(organization: Organization, viewer: Person, gone: int) -> None:
    base = f"/api/v1/organizations/{organization.slug}/runs"
    for path in ("", "logs/", "steps/"):
        answer = _get(viewer, f"{base}/{gone}/{path}")
        assert answer.status_code == 410, path
        assert answer.json()["code"] == "run_gone"
        assert "kept for 30 days" in answer.json()["remedy"]
    assert _get(viewer, f"{base}/{gone + 1}/").status_code == 404


def test_where_operators_keep_them_for_ever_now(
    organization: Organization, viewer: Person, gone: int
) -> None:
    PlatformSettings.objects.update(run_retention_days=None)
    page = _get(viewer, f"/o/{organization.slug}/runs/{gone}/").content.decode()
    assert "Operators decide how long runs are kept" in page
