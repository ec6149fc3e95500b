"""The overview answers "is anything wrong?" with one voice."""

import pytest
from django.utils import timezone

from conftest_site import Person
from connections.models import Connection
from orchestration import overview
from orchestration.attention import attention_of
from orchestration.engine import executor
from orchestration.engine.watch import Verdict
from orchestration.models import Run, Standing, Status
from orchestration.tests import factories as make
from orchestration.tests.pages import get
from tenants.models import Organization
from transforms.models import BuildStatus, Transformation

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", list(BuildStatus))
def test_the_numbers_never_contradict_the_verdict(
    organization: Organization, editor: Person, client_urls: str, stand: Connection, status: str
) -> None:
    run = make.make_run(organization, "pipeline:orders")
    make.finish(make.steps(run)[0], [make.table(), make.done()])
    Transformation.all_organizations.update(build_status=status, built_at=timezone.now())
    found = attention_of(organization, can_edit=True)
    tile = overview.tiles(organization, "24h", [])[-1]
    assert (tile.tone or "ok") == found.tone
    if status == BuildStatus.NEVER:
        page = get(editor.client, f"{client_urls}/")
        assert "All good" in page
        assert "1 never built" in page
    elif status == BuildStatus.SUCCEEDED:
        assert (found.verdict, tile.delta) == ("All good", "")
    else:
        assert found.verdict == "1 thing needs attention"
        assert tile.delta.startswith("1 ")


def test_what_was_cancelled_stands_as_it_stood(organization: Organization, failed_run: Run) -> None:
    again = make.make_run(organization, "pipeline:orders")
    step = make.take(make.steps(again)[0])
    executor._close(step, make.report(step), Verdict(Status.CANCELLED))
    again.refresh_from_db()
    assert not again.is_active
    found = attention_of(organization, can_edit=True)
    assert [item.url.rsplit("/", 2)[-2] for item in found.items if item.tone == "bad"] == ["orders"]
    assert Standing.all_organizations.get().run_number == failed_run.number
