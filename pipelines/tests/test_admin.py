"""The operator's view: everything opens, nothing is edited around the services."""

import pytest
from django.test import Client
from django.urls import reverse

from conftest_site import Person
from pipelines import services
from pipelines.models import Pipeline
from pipelines.tests.factories import make_pipeline
from tenants.models import Organization, User

pytestmark = pytest.mark.django_db


def test_operators_look_and_pause(organization: Organization, editor: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    services.start_draft(
        organization=organization, actor=editor.actor, user=editor.user, data={"source": "shop"}
    )
    client = Client()
    client.force_login(
        User.objects.create_superuser("root@example.com", "x"),
        backend="allauth.account.auth_backends.AuthenticationBackend",
    )
    listing = reverse("admin:pipelines_pipeline_changelist")
    assert "Shop orders" in client.get(listing, {"q": "shop"}).content.decode()
    page = client.get(reverse("admin:pipelines_pipeline_change", args=[pipeline.pk]))
    assert page.status_code == 200
    assert 'name="dataset"' not in page.content.decode()
    assert client.get(reverse("admin:pipelines_pipelinedraft_changelist")).status_code == 200
    selected = {"_selected_action": [pipeline.pk]}
    client.post(listing, {"action": "pause", **selected})
    assert Pipeline.all_organizations.get().is_paused
    services.delete_pipeline(pipeline=pipeline, actor=editor.actor)
    client.post(listing, {"action": "restore", **selected})
    assert not Pipeline.all_organizations.get().is_deleted
