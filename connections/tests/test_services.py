"""Changes to connections, with the audit log as witness."""

from pathlib import Path
from typing import Any

import pytest

from audit.models import AuditEvent
from common.errors import NotFound, PermissionDenied
from conftest_site import Person
from connections import checks, runner, services, usage
from connections.errors import ConnectionInUse, FileRefused, InvalidConfiguration
from connections.models import CheckStatus, Connection
from connections.tests.helpers import CANARY, UNREACHABLE, make, upload
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import Transformation


def audit_text(organization: Organization) -> str:
    return str(list(AuditEvent.objects.for_organization(organization).values()))


def test_secrets_are_encrypted_kept_and_never_logged(
    organization: Organization, editor: Person
) -> None:
    made = make(organization, editor, "Shop")
    assert CANARY not in str(made.config)
    services.update_connection(
        connection=made, actor=editor.actor, name="Shop 2", values={**UNREACHABLE, "user": "other"}
    )
    stored = Connection.objects.for_organization(organization).get()
    assert (stored.name, stored.slug, stored.config["user"]) == ("Shop 2", "shop", "other")
    assert stored.secrets == {"password": CANARY}
    assert CANARY not in audit_text(organization)
    assert "reader" in audit_text(organization)


def test_a_stored_secret_is_not_sent_to_another_server(
    organization: Organization, editor: Person
) -> None:
    made = make(organization, editor, "Shop")
    elsewhere: dict[str, Any] = {**UNREACHABLE, "host": "127.0.0.2"}
    with pytest.raises(InvalidConfiguration, match="server has changed") as refused:
        checks.check_unsaved(
            organization=organization,
            actor=editor.actor,
            connector="postgres",
            values=elsewhere,
            use_as="source",
            stored=made,
        )
    assert refused.value.field == "password"
    with pytest.raises(InvalidConfiguration):
        services.update_connection(
            connection=made, actor=editor.actor, name="Shop", values=elsewhere
        )
    services.update_connection(
        connection=made, actor=editor.actor, name="Shop", values={**elsewhere, "password": "new"}
    )
    assert made.secrets == {"password": "new"}


def test_slugs_leave_room_for_pages(organization: Organization, editor: Person) -> None:
    slugs = [make(organization, editor, name).slug for name in ("New", "Files", "Shop", "Shop")]
    assert slugs == ["new-postgres", "files-postgres", "shop", "shop-2"]


def test_a_copy_has_the_secrets_and_says_where_from(
    organization: Organization, editor: Person
) -> None:
    copy = services.duplicate_connection(
        connection=make(organization, editor, "Shop"), actor=editor.actor
    )
    assert (copy.name, copy.slug) == ("Shop copy", "shop-copy")
    assert copy.secrets == {"password": CANARY}
    assert copy.check_status == CheckStatus.UNTESTED
    assert CANARY not in audit_text(organization)


def test_a_check_is_adopted_only_by_the_settings_it_was_made_of(
    organization: Organization, editor: Person
) -> None:
    result = checks.check_unsaved(
        organization=organization,
        actor=editor.actor,
        connector="postgres",
        values={**UNREACHABLE, "password": CANARY},
        use_as="source",
    )
    assert CANARY not in str(result)
    made = make(organization, editor, "Shop")
    made_at = made.created_at
    kept: dict[str, Any] = {
        "stages": result.stages,
        "fingerprint": result.fingerprint,
        "at": made_at,
    }
    assert checks.adopt_check(connection=made, **kept)
    assert (made.check_status, made.checked_at) == (CheckStatus.UNREACHABLE, made_at)
    other = make(organization, editor, "Other", "postgres", "source", **UNREACHABLE)
    assert not checks.adopt_check(connection=other, **kept)
    assert other.check_status == CheckStatus.UNTESTED


def test_use_blocks_deleting_and_is_counted(
    organization: Organization, editor: Person, django_assert_num_queries: Any
) -> None:
    source = make(organization, editor, "Shop")
    warehouse = make(organization, editor, "House", "duckdb", "both", path="house.duckdb")
    for slug in ("a", "b"):
        Pipeline(
            organization=organization,
            name=slug.upper(),
            slug=slug,
            source=source,
            destination=warehouse,
            dataset=f"raw_{slug}",
            mode="full_database",
        ).save()
    Transformation(organization=organization, name="dim", connection=warehouse, sql="x").save()
    with django_assert_num_queries(2):
        found = usage.summaries(organization)
    assert found == {source.pk: "2 pipelines", warehouse.pk: "2 pipelines, 1 transformation"}
    with pytest.raises(ConnectionInUse, match="used by A, B"):
        services.delete_connection(connection=source, actor=editor.actor, users=["A", "B"])
    for pipeline in Pipeline.objects.for_organization(organization):
        pipeline.put_in_trash()
    assert usage.uses_of(source) == []


def test_a_broken_upload_leaves_the_old_file(organization: Organization, editor: Person) -> None:
    assert upload(organization, editor, "a.csv", b"old") == "uploads/a.csv"

    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(FileRefused, match="No space left"):
        services.store_upload(
            organization=organization,
            actor=editor.actor,
            name="a.csv",
            content=Broken(),  # type: ignore[arg-type]
            size=3,
        )
    folder = runner.files_root(organization) / "uploads"
    assert [path.name for path in folder.iterdir()] == ["a.csv"]
    assert (folder / "a.csv").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["../up.csv", "a/b.csv", ".hidden", "a;b.csv", "", "x" * 201])
def test_odd_file_names_are_refused(organization: Organization, editor: Person, name: str) -> None:
    with pytest.raises(FileRefused, match="characters that are not allowed"):
        upload(organization, editor, name, b"x")


def test_limits_of_files(
    organization: Organization,
    editor: Person,
    viewer: Person,
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.MAX_UPLOAD_BYTES = 1024 * 1024
    with pytest.raises(FileRefused, match="larger than 1 MB"):
        upload(organization, editor, "big.csv", b"x" * (1024 * 1024 + 1))
    with pytest.raises(PermissionDenied):
        upload(organization, viewer, "a.csv", b"x")
    outside = tmp_path / "outside.txt"
    outside.write_text("stays")
    with pytest.raises(NotFound, match="no file"):
        services.delete_file(organization=organization, actor=editor.actor, name=str(outside))
    assert outside.exists()


def test_a_stored_secret_goes_through_no_other_tunnel(
    organization: Organization, editor: Person
) -> None:
    tunnel = {
        "use_tunnel": True,
        "ssh_host": "127.0.0.1",
        "ssh_port": 22,
        "ssh_user": "hop",
        "ssh_password": "hop-secret",
    }
    made = make(organization, editor, "Shop")
    with pytest.raises(InvalidConfiguration, match="server has changed"):
        services.update_connection(
            connection=made, actor=editor.actor, name="Shop", values={**UNREACHABLE, **tunnel}
        )
    services.update_connection(
        connection=made,
        actor=editor.actor,
        name="Shop",
        values={**UNREACHABLE, **tunnel, "password": CANARY},
    )
    with pytest.raises(InvalidConfiguration, match="server has changed"):
        services.update_connection(
            connection=made,
            actor=editor.actor,
            name="Shop",
            values={**UNREACHABLE, **tunnel, "ssh_host": "127.0.0.2", "ssh_password": ""},
        )
    without = {**UNREACHABLE, "use_tunnel": False, "password": CANARY}
    services.update_connection(connection=made, actor=editor.actor, name="Shop", values=without)
    stored = Connection.objects.for_organization(organization).get()
    assert stored.secrets == {"password": CANARY}
