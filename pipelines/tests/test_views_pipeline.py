"""The list and the pages of one pipeline: who sees what, and what the buttons do."""

import re

import pytest
from django.urls import reverse

from conftest_site import Person
from pipelines import services
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline
from pipelines.tests.factories import make_pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db

PAGES = ("detail", "tables", "runs", "state", "rejects", "shape", "update", "changes")


def url(pipeline: Pipeline, page: str = "detail") -> str:
    return reverse(f"pipelines:pipeline-{page}", args=[pipeline.organization.slug, pipeline.slug])


def list_url(organization: Organization) -> str:
    return reverse("pipelines:pipeline-list", args=[organization.slug])


def test_the_list_is_the_same_as_page_and_fragment(
    organization: Organization, editor: Person, viewer: Person
) -> None:
    empty = viewer.client.get(list_url(organization)).content.decode()
    assert "No pipelines yet" in empty
    assert "New pipeline" not in empty
    make_pipeline(organization, editor)
    page = editor.client.get(list_url(organization), {"q": "WAREHOUSE"}).content.decode()
    fragment = editor.client.get(
        list_url(organization), {"q": "WAREHOUSE"}, headers={"HX-Request": "true"}
    ).content.decode()
    assert "<html" not in fragment
    strip = re.compile(r'name="(?:token|csrfmiddlewaretoken)" value="[^"]*"')
    assert strip.sub("", fragment).strip() in strip.sub("", page)
    assert "Incremental · Merge on id" in page
    nothing = editor.client.get(list_url(organization), {"q": "zzz"}).content.decode()
    assert "No pipeline matches" in nothing


def test_pages_of_the_list(
    organization: Organization, editor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_pipeline(organization, editor)
    for name in ("Accounts", "Zones"):
        services.create_pipeline(
            organization=organization,
            actor=editor.actor,
            source=first.source,
            destination=first.destination,
            definition=PipelineDefinition.parse(
                services.definition_of(first).as_dict()
                | {"name": name, "dataset": f"raw_{name.lower()}"}
            ),
        )
    monkeypatch.setattr("pipelines.views_list.PAGE", 1)
    seen: list[str] = []
    query = page = ""
    for _number in range(3):
        page = editor.client.get(list_url(organization) + query).content.decode()
        seen += re.findall(r"row-link[^>]*>([^<]+)<", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        query = following[1] if following else ""
    assert seen == ["Accounts", "Shop orders", "Zones"]
    assert query == ""
    back = re.search(r'rel="prev" href="([^"]+)"', page)
    assert back is not None
    before = editor.client.get(list_url(organization) + back[1]).content.decode()
    assert re.findall(r"row-link[^>]*>([^<]+)<", before) == ["Shop orders"]


@pytest.mark.parametrize("page", PAGES)
def test_pages_by_role(
    organization: Organization, editor: Person, viewer: Person, stranger: Person, page: str
) -> None:
    pipeline = make_pipeline(organization, editor)
    for_editor = editor.client.get(url(pipeline, page))
    for_viewer = viewer.client.get(url(pipeline, page))
    assert (for_editor.status_code, for_viewer.status_code) == (200, 200)
    actions = ('name="target"', "Pause", "Full refresh", "Delete", "duplicate/")
    assert all(word in for_editor.content.decode() for word in actions)
    assert not any(word in for_viewer.content.decode() for word in actions)
    assert stranger.client.get(url(pipeline, page)).status_code == 404
    own = reverse(f"pipelines:pipeline-{page}", args=["elsewhere", pipeline.slug])
    assert stranger.client.get(own).status_code == 404
    assert not re.search(r'\s(?:style|on\w+)="', for_editor.content.decode())


def test_overview_and_changes_say_what_is_known(organization: Organization, editor: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    pipeline.cursors = {"main.orders": {"column": "updated_at", "value": "2024-01-04"}}
    pipeline.save()
    page = editor.client.get(url(pipeline)).content.decode()
    for words in ("status = paid", "2024-01-04", "Merge on id", "compact=1"):
        assert words in page
    assert "primary_key" in editor.client.get(url(pipeline, "changes")).content.decode()


def test_actions(organization: Organization, editor: Person, viewer: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    for page in ("pause", "resume", "delete", "duplicate"):
        assert viewer.client.post(url(pipeline, page)).status_code == 403
        assert editor.client.get(url(pipeline, page)).status_code == 200 or page != "delete"
    editor.client.post(url(pipeline, "pause"))
    assert "This pipeline is paused" in editor.client.get(url(pipeline)).content.decode()
    response = editor.client.post(url(pipeline, "resume"), {"from": "list"})
    assert response["Location"] == list_url(organization)
    assert "stay" in editor.client.get(url(pipeline, "delete")).content.decode()
    editor.client.post(url(pipeline, "delete"))
    assert editor.client.get(url(pipeline)).status_code == 404


def test_configuration_as_form_and_as_yaml(
    organization: Organization, editor: Person, viewer: Person
) -> None:
    pipeline = make_pipeline(organization, editor)
    form = {"name": "Orders", "description": "", "version": "1"}
    assert viewer.client.post(url(pipeline, "update"), form).status_code == 403
    bad = editor.client.post(url(pipeline, "update"), {**form, "name": ""})
    assert bad.status_code == 422
    assert editor.client.post(url(pipeline, "update"), form).status_code == 302
    assert viewer.client.get(url(pipeline, "yaml")).status_code == 403

    page = editor.client.get(url(pipeline, "yaml"))
    text = page.context["form"]["text"].value()
    same = {"text": text, "version": "2"}
    assert editor.client.post(url(pipeline, "yaml"), same).status_code == 302
    pipeline.refresh_from_db()
    assert pipeline.version == 3
    shown = ""
    for change, words in (
        ("value: paid", "value: []"),
        ("raw_shop", "raw_other"),
        ("source: shop", "source: other"),
        ("cursor_column", "cursor"),
    ):
        data = {"text": text.replace(change, words), "version": "3"}
        refused = editor.client.post(url(pipeline, "yaml"), data)
        assert refused.status_code == 422, change
        shown = refused.content.decode()
        assert words in shown, "the input is kept"
    assert "Line 13: A resource has no setting" in shown
