"""What an operator can do in the admin: correct, put in the trash, restore; always with an audit event."""

from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from conftest_site import Person
from tenants.models import Organization
from transforms.models import Transformation
from transforms.tests.warehouse import make, make_warehouse


def act(client: Client, row: Transformation, action: str) -> str:
    url = reverse("admin:transforms_transformation_changelist")
    data = {"action": action, "_selected_action": [row.pk]}
    return client.post(url, data, follow=True).content.decode()


def test_an_operator_corrects_and_restores(organization: Organization, owner: Person) -> None:
    owner.user.is_staff = owner.user.is_superuser = True
    owner.user.save()
    client, warehouse = owner.client, make_warehouse(organization)
    row = make(warehouse, "orders", tests=({"column": "id", "kind": "unique"},))
    for name in ("transformation", "transformationcolumn", "transformationtest"):
        listed = client.get(reverse(f"admin:transforms_{name}_changelist"), {"q": "orders"})
        assert listed.status_code == 200
    url = reverse("admin:transforms_transformation_change", args=[row.pk])
    assert "unique" in client.get(url).content.decode()
    data = {
        "folder": "marts",
        "sql": "select 2 as id",
        "materialization": "table",
        "schema": "",
        "description": "",
        "tags": '["nightly"]',
        "config": "{}",
    }
    for form in client.get(url).context["inline_admin_formsets"]:
        prefix = form.formset.prefix
        data |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    wrong = client.post(url, {**data, "folder": "No Folder"})
    assert "A folder cannot be named" in wrong.content.decode()
    assert client.post(url, data).status_code == 302
    row.refresh_from_db()
    assert (row.sql, row.version, row.tags) == ("select 2 as id", 2, ["nightly"])
    reader = make(warehouse, "reader", "select * from {{ ref('orders') }}")
    assert "read from “orders”" in act(client, row, "put_in_trash")
    act(client, reader, "put_in_trash")
    act(client, reader, "restore")
    reader.refresh_from_db()
    assert not reader.is_deleted
    events = AuditEvent.objects.for_organization(organization).order_by("pk")
    assert [e.action for e in events][-3:] == [
        "transformation.created",
        "transformation.deleted",
        "transformation.restored",
    ]
    assert events[len(events) - 1].actor_kind == "operator"
