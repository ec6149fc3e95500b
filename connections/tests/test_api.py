"""The REST API of connections."""

from typing import Any

import psycopg
from django.core.files.uploadedfile import SimpleUploadedFile

from conftest_site import Person
from connections.models import Connection
from connections.tests.helpers import CANARY, UNREACHABLE, api, make, upload, values_of
from tenants.models import Organization

JSON = "application/json"


def created(organization: Organization, person: Person, **changes: Any) -> Any:
    body = {
        "name": "Shop",
        "connector": "postgres",
        "use_as": "source",
        "config": UNREACHABLE,
        "secrets": {"password": CANARY},
        **changes,
    }
    return person.client.post(f"{api(organization)}connections/", body, content_type=JSON)


def test_a_connection_from_birth_to_deletion(organization: Organization, editor: Person) -> None:
    url = f"{api(organization)}connections/"
    answer = created(organization, editor)
    assert answer.status_code == 201, answer.json()
    born = answer.json()
    assert born["slug"] == "shop"
    assert born["config"]["host"] == "127.0.0.1"
    assert born["secrets_stored"] == ["password"]
    assert born["address"] == "127.0.0.1:1/shop"

    patch = {"name": "Shop 2", "config": {"database": "other"}}
    changed = editor.client.patch(f"{url}shop/", patch, content_type=JSON).json()
    assert (changed["name"], changed["config"]["database"]) == ("Shop 2", "other")
    assert Connection.objects.for_organization(organization).get().secrets == {"password": CANARY}

    checked = editor.client.post(f"{url}shop/check/").json()
    assert checked["check_status"] == "unreachable"
    assert checked["stages"][-1]["status"] == "failed"
    assert "Check that the server runs" in checked["stages"][-1]["remedy"]

    found = editor.client.get(f"{url}shop/").json()
    assert found["check_status"] == "unreachable"
    assert found["used_by"] == []
    listed = editor.client.get(f"{url}?q=sho&role=source").json()
    assert [row["slug"] for row in listed["results"]] == ["shop"]
    assert editor.client.get(f"{url}?role=destination").json()["results"] == []
    assert editor.client.get(f"{url}?role=other").status_code == 422
    for body in (born, changed, checked, found, listed):
        assert CANARY not in str(body)

    assert editor.client.delete(f"{url}shop/").status_code == 204
    assert editor.client.get(f"{url}shop/").status_code == 404


def test_wrong_input_is_named(organization: Organization, editor: Person) -> None:
    for changes, field in (
        ({"config": {"host": "x"}}, "database"),
        ({"config": {**UNREACHABLE, "colour": "red"}}, "colour"),
        ({"config": {**UNREACHABLE, "host": "http://x"}}, "host"),
        ({"connector": "nothing"}, "connector"),
        ({"name": ""}, "name"),
        ({"connector": "csv", "config": {"path": "../x"}, "secrets": {}}, "path"),
        (
            {
                "connector": "csv",
                "config": {"path": "x.csv"},
                "secrets": {},
                "use_as": "destination",
            },
            "use_as",
        ),
    ):
        answer = created(organization, editor, **changes)
        assert answer.status_code in (404, 422), changes
        assert answer.json()["field"] == field
        assert answer["Content-Type"] == "application/problem+json"
        assert CANARY not in answer.content.decode()
    assert not Connection.objects.for_organization(organization).exists()
    several = created(organization, editor, config={}).json()["errors"]
    assert {"host", "database", "user"} <= set(several)


def test_rights(
    organization: Organization, editor: Person, viewer: Person, stranger: Person
) -> None:
    make(organization, editor, "Shop")
    url = api(organization)
    assert viewer.client.get(f"{url}connections/shop/").status_code == 200
    assert created(organization, viewer).status_code == 403
    for path in ("connections/shop/check/", "connectors/postgres/check/", "files/"):
        assert viewer.client.post(f"{url}{path}").status_code == 403, path
    assert viewer.client.delete(f"{url}connections/shop/").status_code == 403
    assert viewer.client.delete(f"{url}files/a.csv/").status_code == 403
    for path in ("connections/", "connections/shop/", "files/", "connectors/"):
        assert stranger.client.get(f"{url}{path}").status_code == 404


def test_the_real_server_is_checked_and_read(
    organization: Organization, editor: Person, postgres_url: str
) -> None:
    with psycopg.connect(postgres_url) as con:
        con.execute("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)")
    url = api(organization)
    values = values_of(postgres_url)
    secrets = {"password": values.pop("password")}
    body = {"use_as": "source", "config": values, "secrets": {"password": CANARY}}
    wrong = editor.client.post(f"{url}connectors/postgres/check/", body, content_type=JSON).json()
    last = wrong["stages"][-1]
    assert (wrong["check_status"], last["name"], last["status"]) == (
        "unreachable",
        "sign in",
        "failed",
    )
    assert last["remedy"]
    assert CANARY not in str(wrong)

    created(organization, editor, config=values, secrets=secrets)
    shop = f"{url}connections/shop/"
    assert editor.client.post(f"{shop}check/").json()["check_status"] in ("healthy", "warning")
    found = editor.client.get(f"{shop}discover/?search=peo&limit=5").json()
    assert [table["name"] for table in found["tables"]] == ["people"]
    table = editor.client.get(f"{shop}describe/?schema=public&table=people").json()
    assert table["primary_key"] == ["id"]
    assert [column["name"] for column in table["columns"]] == ["id", "name"]
    gone = editor.client.get(f"{shop}describe/?schema=public&table=gone")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert editor.client.get(f"{shop}describe/").json()["field"] == "table"


def test_types_describe_their_forms(organization: Organization, viewer: Person) -> None:
    found = {row["key"]: row for row in viewer.client.get(f"{api(organization)}connectors/").json()}
    postgres = {field["name"]: field for field in found["postgres"]["fields"]}
    assert postgres["password"]["secret"] is True
    assert postgres["host"]["required"] is True
    assert postgres["sslmode"]["type"] == "choice"
    assert {"value": "disable", "label": "No TLS"} in postgres["sslmode"]["choices"]
    assert found["csv"]["capabilities"]["files"] is True
    assert found["postgres"]["capabilities"]["write_dispositions"] == ["append", "merge", "replace"]


def test_files(organization: Organization, editor: Person) -> None:
    url = f"{api(organization)}files/"
    sent = editor.client.post(url, {"file": SimpleUploadedFile("a.csv", b"id\n1\n")})
    assert sent.status_code == 201
    assert sent.json()["path"] == "uploads/a.csv"
    assert [file["size"] for file in editor.client.get(url).json()] == [5]
    assert editor.client.post(url, {"file": SimpleUploadedFile("a;.csv", b"x")}).status_code == 422
    assert editor.client.post(url, {}).json()["field"] == "file"
    assert editor.client.delete(f"{url}a.csv/").status_code == 204
    assert editor.client.delete(f"{url}a.csv/").status_code == 404


def test_a_ragged_file_warns_with_its_line(organization: Organization, editor: Person) -> None:
    upload(organization, editor, "r.csv", b"a,b\n1,2\n1,2,3\n")
    body = {"config": {"path": "uploads/r.csv"}}
    url = f"{api(organization)}connectors/csv/check/"
    answer = editor.client.post(url, body, content_type=JSON).json()
    assert answer["check_status"] == "warning"
    assert "line 3" in answer["stages"][-1]["text"]
