"""Pages of connections and files, in the hands of every role."""

import re
from typing import Any

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from audit.models import AuditEvent
from conftest_site import Person
from connections import services
from connections.models import CheckStatus, Connection
from connections.tests.helpers import CANARY, UNREACHABLE, base, make, values_of
from pipelines.models import Pipeline
from tenants.models import Organization

HTMX = {"HX-Request": "true"}


def pages_of(connection: Connection) -> list[str]:
    url = f"{base(connection.organization)}{connection.slug}/"
    return [url, f"{url}catalog/", f"{url}table/?table=x"]


def text_of(person: Person, url: str, **options: Any) -> str:
    response = person.client.get(url, **options)
    assert response.status_code == 200, url
    return str(response.content.decode())


def test_the_list_filters_by_text_and_role_alike_as_page_and_fragment(
    organization: Organization, editor: Person
) -> None:
    make(organization, editor, "Shop")
    make(organization, editor, "House", "duckdb", "destination", path="stock.duckdb")
    make(organization, editor, "Stock files", "csv", path="*.csv")
    for query, names in {
        "": {"Shop", "House", "Stock files"},
        "?q=stock": {"House", "Stock files"},
        "?q=127.0.0.1": {"Shop"},
        "?q=duckdb": {"House"},
        "?role=source": {"Shop", "Stock files"},
        "?role=destination&q=stock": {"House"},
        "?sort=-name&role=nonsense": {"Shop", "House", "Stock files"},
    }.items():
        page = text_of(editor, base(organization) + query)
        fragment = text_of(editor, base(organization) + query, headers=HTMX)
        for text in (page, fragment):
            shown = {n for n in ("Shop", "House", "Stock files") if f">{n}</a>" in text}
            assert shown == names, query
        assert "<html" in page
        assert "<html" not in fragment
    assert "No connection matches" in text_of(editor, base(organization) + "?q=nothing")


def test_the_role_says_what_can_be_done_there(organization: Organization, editor: Person) -> None:
    for key, builds in {
        "postgres": True,
        "duckdb": True,
        "mysql": True,
        "sqlite": False,
        "parquet": False,
    }.items():
        page = text_of(editor, f"{base(organization)}new/{key}/")
        assert ("transformations run in it" in page) is builds, key
        assert "Pipelines write to it" in page, key


def test_long_lists_have_pages(organization: Organization, editor: Person) -> None:
    for number in range(52):
        make(organization, editor, f"C{number:02}", "csv", path="*.csv")
    first = text_of(editor, base(organization))
    assert "50 of 52 connections" in first
    assert "after=c49" in first
    last = text_of(editor, base(organization) + "?after=c49")
    assert ">C51</a>" in last
    assert ">C49</a>" not in last
    assert ">C00</a>" in text_of(editor, base(organization) + "?before=c50")


def test_roles_see_what_they_may_do(
    organization: Organization, editor: Person, viewer: Person, stranger: Person, owner: Person
) -> None:
    shop = make(organization, editor, "Shop")
    url = base(organization)
    for page in (url, f"{url}shop/", f"{url}files/"):
        for word in (
            "/edit/",
            "/delete/",
            "/duplicate/",
            "/check/",
            "connections/new/",
            "/upload/",
        ):
            assert word not in text_of(viewer, page), (page, word)
    assert "/edit/" in text_of(editor, f"{url}shop/")
    assert "Recent changes" not in text_of(editor, f"{url}shop/")
    assert "Connection created" in text_of(owner, f"{url}shop/")
    for path in ("new/", "new/postgres/", "shop/edit/", "shop/delete/"):
        assert viewer.client.get(url + path).status_code == 403
        assert stranger.client.get(url + path).status_code == 404
    for path in ("shop/check/", "shop/duplicate/", "shop/delete/", "shop/edit/", "files/upload/"):
        assert viewer.client.post(url + path).status_code == 403
        assert stranger.client.post(url + path).status_code == 404
    other = "/o/elsewhere/connections/"
    for page in pages_of(shop):
        assert stranger.client.get(page).status_code == 404
        assert stranger.client.get(page.replace(url, other)).status_code == 404
    assert Connection.objects.for_organization(organization).count() == 1


def test_the_gallery_shows_types_by_role(organization: Organization, editor: Person) -> None:
    url = f"{base(organization)}new/"
    assert "PostgreSQL" in text_of(editor, url)
    assert "CSV files" in text_of(editor, url)
    assert "CSV files" not in text_of(editor, f"{url}?role=destination")
    assert editor.client.get(f"{url}nothing/").status_code == 404


def test_no_page_gives_a_secret_back(
    organization: Organization, editor: Person, owner: Person
) -> None:
    shop = make(organization, editor, "Shop")
    url = base(organization)
    sent = {**UNREACHABLE, "name": "", "use_as": "source", "password": CANARY, "action": "save"}
    answers = [owner.client.get(page) for page in [url, *pages_of(shop), f"{url}shop/edit/"]]
    answers += [editor.client.post(f"{url}new/postgres/", sent)]
    answers += [editor.client.post(f"{url}shop/edit/", sent)]
    answers += [editor.client.post(f"{url}new/postgres/", {**sent, "action": "check"})]
    answers += [editor.client.post(f"{url}shop/check/", headers=HTMX)]
    for answer in answers:
        assert CANARY not in answer.content.decode()
    edit = text_of(editor, f"{url}shop/edit/")
    assert "Stored, leave empty to keep" in edit
    assert CANARY not in str(list(AuditEvent.objects.for_organization(organization).values()))


def test_a_refused_form_keeps_everything_but_the_secret(
    organization: Organization, editor: Person
) -> None:
    sent = {**UNREACHABLE, "name": "Shop", "use_as": "both", "user": "", "password": CANARY}
    answer = editor.client.post(f"{base(organization)}new/postgres/", sent)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="127.0.0.1"' in text
    assert re.search(r'value="both"[^>]* checked', text)
    assert "This field is required" in text
    assert "Enter it again" in text
    assert CANARY not in text


def test_test_then_save_keeps_the_check_and_warns(
    organization: Organization, editor: Person
) -> None:
    url = f"{base(organization)}new/postgres/"
    sent = {**UNREACHABLE, "name": "Shop", "use_as": "source", "password": CANARY}
    page = editor.client.post(url, {**sent, "action": "check"})
    fragment = editor.client.post(url, {**sent, "action": "check"}, headers=HTMX)
    for answer in (page, fragment):
        text = answer.content.decode()
        assert answer.status_code == 200
        assert "127.0.0.1:1 refused the connection" in text
        assert "Check that the server runs" in text
    assert "<html" not in fragment.content.decode()
    assert "Enter it again before you save" in page.content.decode()
    assert not Connection.objects.for_organization(organization).exists()

    saved = editor.client.post(url, {**sent, "action": "save"}, follow=True)
    text = saved.content.decode()
    assert "its last test failed" in text
    shop = Connection.objects.for_organization(organization).get()
    assert shop.check_status == CheckStatus.UNREACHABLE
    assert shop.secrets == {"password": CANARY}

    incomplete = {**sent, "host": "", "action": "check"}
    refused = editor.client.post(url, incomplete, headers=HTMX)
    assert refused.status_code == 422
    assert "A host is needed" in refused.content.decode()


def test_a_wrong_password_is_named_with_its_remedy(
    organization: Organization, editor: Person, postgres_url: str
) -> None:
    right = values_of(postgres_url)
    url = base(organization)
    sent = {**right, "name": "Real", "use_as": "both", "password": CANARY, "action": "check"}
    text = editor.client.post(f"{url}new/postgres/", sent, headers=HTMX).content.decode()
    assert "Does not work yet" in text
    assert "password" in text
    assert CANARY not in text

    with psycopg.connect(postgres_url) as con:
        con.execute("CREATE SCHEMA sales; CREATE TABLE sales.orders (id int PRIMARY KEY, ref text)")
        con.execute("CREATE TABLE public.people (id int)")
    make(organization, editor, "Real", "postgres", "both", **right)
    checked = editor.client.post(f"{url}real/check/", headers=HTMX).content.decode()
    assert "Does not work" not in checked
    assert "Real" not in checked
    assert Connection.objects.for_organization(organization).get().check_status in (
        CheckStatus.HEALTHY,
        CheckStatus.WARNING,
    )
    row = editor.client.post(f"{url}real/check/", {"show": "row"}, headers=HTMX)
    assert row.content.decode().strip().startswith('<td id="check-real"')
    assert "toast" in row["HX-Trigger"]

    for options in ({}, {"headers": HTMX}):
        tables = text_of(editor, f"{url}real/catalog/?q=ord", **options)
        assert "orders" in tables
        assert "people" not in tables
        assert "people" not in text_of(editor, f"{url}real/catalog/?schema=sales", **options)
        columns = text_of(editor, f"{url}real/table/?schema=sales&table=orders", **options)
        assert "ref" in columns
        assert "Key" in columns
    gone = text_of(editor, f"{url}real/table/?schema=sales&table=gone", headers=HTMX)
    assert "no table" in gone
    assert editor.client.get(f"{url}real/table/?table=gone").status_code == 404


def test_files_are_uploaded_used_and_deleted(
    organization: Organization, editor: Person, settings: Any
) -> None:
    url = base(organization)
    ragged = b"day,temp\n1,3\n2,4,9\n3,5\n"
    form = f"{url}new/csv/"
    answer = editor.client.post(
        form,
        {"action": "upload", "upload": SimpleUploadedFile("weather.csv", ragged)},
        headers=HTMX,
    )
    assert 'value="uploads/weather.csv"' in answer.content.decode()
    checked = editor.client.post(
        form, {"name": "Weather", "path": "uploads/*.csv", "action": "check"}, headers=HTMX
    ).content.decode()
    assert "Works, with a remark" in checked
    assert "line 3 has 3 columns" in checked
    # Without script the file comes with the form.
    both = {"name": "Weather", "upload": SimpleUploadedFile("weather.csv", ragged)}
    assert editor.client.post(form, {**both, "action": "save"}).status_code == 302
    saved = Connection.objects.for_organization(organization).get()
    assert saved.config["path"] == "uploads/weather.csv"
    chosen = text_of(editor, f"{form}?path=uploads/weather.csv", headers=HTMX)
    assert 'value="uploads/weather.csv"' in chosen
    assert ">Weather</a>" in text_of(editor, f"{url}files/")

    odd = SimpleUploadedFile("we;ird.csv", b"x")
    for target, field in ((form, "upload"), (f"{url}files/upload/", "file")):
        odd.seek(0)
        refused = editor.client.post(target, {field: odd, "name": "Kept", "action": "save"})
        assert refused.status_code == 422
        assert "characters that are not allowed" in refused.content.decode()
    settings.MAX_UPLOAD_BYTES = 1024 * 1024
    big = SimpleUploadedFile("big.csv", b"x" * (1024 * 1024 + 1))
    refused = editor.client.post(f"{url}files/upload/", {"file": big})
    assert (refused.status_code, b"larger than 1 MB" in refused.content) == (422, True)
    assert editor.client.post(f"{url}files/upload/").status_code == 422

    assert b"Delete" in editor.client.get(f"{url}files/weather.csv/delete/").content
    editor.client.post(f"{url}files/weather.csv/delete/")
    assert services.list_files(organization) == []
    assert editor.client.post(f"{url}files/weather.csv/delete/").status_code == 404


def test_copy_and_delete(organization: Organization, editor: Person) -> None:
    shop = make(organization, editor, "Shop")
    house = make(organization, editor, "House", "duckdb", "both", path="house.duckdb")
    url = base(organization)
    copied = editor.client.post(f"{url}shop/duplicate/", follow=True)
    assert "Edit Shop copy" in copied.content.decode()
    Pipeline(
        organization=organization,
        name="Nightly orders",
        slug="nightly",
        source=shop,
        destination=house,
        dataset="raw",
        mode="full_database",
    ).save()
    assert "1 pipeline" in text_of(editor, url)
    refused = editor.client.post(f"{url}shop/delete/")
    assert refused.status_code == 409
    assert "Nightly orders" in refused.content.decode()
    assert editor.client.post(f"{url}shop-copy/delete/").status_code == 302
    left = Connection.objects.for_organization(organization).values_list("slug", flat=True)
    assert set(left) == {"shop", "house"}


def test_changing_the_server_asks_for_the_secret(
    organization: Organization, editor: Person
) -> None:
    make(organization, editor, "Shop")
    sent = {**UNREACHABLE, "name": "Shop", "use_as": "source", "host": "127.0.0.9"}
    answer = editor.client.post(f"{base(organization)}shop/edit/", sent)
    assert answer.status_code == 422
    assert "enter this again" in answer.content.decode()
    tried = editor.client.post(
        f"{base(organization)}shop/edit/", {**sent, "action": "check"}, headers=HTMX
    )
    assert tried.status_code == 422
    assert 'href="#id_password"' in tried.content.decode()


@pytest.mark.parametrize("action", ["check_selected", "put_in_trash", "restore"])
def test_the_admin_lists_and_acts_without_secrets(
    organization: Organization, editor: Person, owner: Person, action: str
) -> None:
    shop = make(organization, editor, "Shop")
    owner.user.is_staff = owner.user.is_superuser = True
    owner.user.save()
    if action == "restore":
        shop.put_in_trash()
    sent = {"action": action, "_selected_action": [shop.pk]}
    listed = owner.client.post("/admin/connections/connection/", sent, follow=True)
    assert listed.status_code == 200
    change = owner.client.get(f"/admin/connections/connection/{shop.pk}/change/")
    assert "password" in change.content.decode()
    assert CANARY not in change.content.decode()
    shop.refresh_from_db()
    assert shop.is_deleted == (action == "put_in_trash")
    assert (shop.check_status == CheckStatus.UNREACHABLE) == (action == "check_selected")
