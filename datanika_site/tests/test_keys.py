"""Keys: what passes as one, and how one replaces another while people work."""

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, models
from django.test.utils import isolate_apps

from audit.actions import AuditAction
from audit.models import AuditEvent
from common import ciphertext, crypto
from common.crypto import EncryptedJSONField, SecretUnreadable
from conftest_site import Person
from connections.models import Connection
from connections.tests.helpers import make
from datanika_site import keys
from tenants.models import IdentityProvider, Organization, PlatformSettings

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
GOOD = "n3bJq0r7VQx5m2Lk8sTz1WcYd4Ue6Ai9GhPf"


@pytest.fixture
def with_keys(settings: Any) -> Any:
    """Sets the keys in force, as a restart with another variable would."""
    settings.READ_ENCRYPTION_KEYS = None
    settings.ENCRYPTION_KEYS_ARE_OWN = False

    def put(*found: str) -> None:
        settings.CREDENTIAL_ENCRYPTION_KEYS = list(found)

    put(OLD)
    return put


def rotate(*arguments: str) -> tuple[int, dict[str, Any]]:
    out, status = io.StringIO(), 0
    try:
        call_command("rotate_encryption_key", "--json", *arguments, stdout=out, stderr=out)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, json.loads(out.getvalue())


def stored(model: type[models.Model], column: str, pk: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {model._meta.db_table} WHERE id = %s", [pk])
        return str(cursor.fetchone()[0])


def fill(organization: Organization, owner: Person) -> dict[str, Any]:
    """A row with ciphertext of every kind."""
    factor = Authenticator.objects.create(
        user=owner.user, type="totp", data={"secret": crypto.encrypt_text("JBSWY3DP")}
    )
    codes = Authenticator.objects.create(
        user=owner.user,
        type="recovery_codes",
        data={"seed": crypto.encrypt_text("5eed"), "used_mask": 0},
    )
    PlatformSettings.objects.create(mail_secrets={"password": "mail-pass"})
    provider = IdentityProvider.objects.create(
        kind="google", slug="google", name="Google", client_id="x", secrets={"client_secret": "g"}
    )
    return {
        "connection": make(organization, owner, "Shop"),
        "factor": factor,
        "codes": codes,
        "provider": provider,
    }


def test_everything_hangs_on_the_new_key(
    with_keys: Any, organization: Organization, owner: Person
) -> None:
    rows = fill(organization, owner)
    with_keys(NEW, OLD)
    status, before = rotate("--check")
    assert (status, before["old"]) == (2, 5)
    status, done = rotate()
    assert (status, done["old"], done["unreadable"]) == (0, 0, 0)
    assert sum(column["renewed"] for column in done["columns"].values()) == 5
    with_keys(NEW)
    shop = Connection.all_organizations.get(pk=rows["connection"].pk)
    assert shop.secrets == {"password": "canary-7f3e-horse"}
    assert PlatformSettings.objects.get().mail_secrets == {"password": "mail-pass"}
    assert IdentityProvider.objects.get().secrets == {"client_secret": "g"}
    factor = Authenticator.objects.get(pk=rows["factor"].pk)
    assert crypto.decrypt_text(factor.data["secret"]) == "JBSWY3DP"
    codes = Authenticator.objects.get(pk=rows["codes"].pk)
    assert (crypto.decrypt_text(codes.data["seed"]), codes.data["used_mask"]) == ("5eed", 0)
    assert rotate("--check")[0] == 0
    event = AuditEvent.all_organizations.get(action=AuditAction.ENCRYPTION_KEY_ROTATED)
    assert event.organization is None
    assert event.changes["connections.Connection.secrets"] == [0, 1]
    assert rotate()[1]["columns"]["connections.Connection.secrets"]["renewed"] == 0


def test_what_no_key_opens_is_left_alone_and_told(
    with_keys: Any, organization: Organization, owner: Person
) -> None:
    shop = make(organization, owner, "Shop")
    token = stored(Connection, "secrets", shop.pk)
    other = make(organization, owner, "Other")
    Connection.all_organizations.filter(pk=other.pk).update(
        secrets=models.Value(Fernet(NEW).encrypt(b"{}").decode(), models.TextField())
    )
    with_keys(Fernet.generate_key().decode(), NEW)
    status, done = rotate()
    assert (status, done["unreadable"]) == (1, 1)
    assert done["columns"]["connections.Connection.secrets"]["renewed"] == 1
    assert stored(Connection, "secrets", shop.pk) == token
    with pytest.raises(SecretUnreadable, match="Put the key that encrypted it back"):
        Connection.all_organizations.get(pk=shop.pk)


def test_an_edit_at_the_same_time_is_not_lost(
    with_keys: Any, organization: Organization, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make(organization, owner, "Shop")
    with_keys(NEW, OLD)
    look = ciphertext._look

    def edited_meanwhile(count: ciphertext.Count, value: Any) -> bool:
        # Between the look at a batch and the lock of its row, as the slowest moment there is.
        found = look(count, value)
        if count.holder.model is Connection:
            Connection.all_organizations.filter(pk=shop.pk).update(secrets={"password": "newer"})
        return found

    monkeypatch.setattr(ciphertext, "_look", edited_meanwhile)
    rotate()
    shop.refresh_from_db()
    assert shop.secrets == {"password": "newer"}
    assert crypto.is_newest(stored(Connection, "secrets", shop.pk))


def test_it_goes_on_where_it_was_stopped(
    with_keys: Any, organization: Organization, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        make(organization, owner, f"Shop {number}")
    with_keys(NEW, OLD)
    monkeypatch.setattr(ciphertext, "BATCH", 2)
    done: list[Any] = []
    renew = ciphertext._renew

    def stopped(holder: ciphertext.Holder, pk: Any) -> bool:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(pk)
        return renew(holder, pk)

    monkeypatch.setattr(ciphertext, "_renew", stopped)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    assert rotate("--check")[1]["old"] == 2
    monkeypatch.setattr(ciphertext, "_renew", renew)
    assert rotate()[1]["columns"]["connections.Connection.secrets"]["renewed"] == 2


@pytest.mark.django_db(transaction=True)
def test_readers_go_on_while_it_rotates(
    with_keys: Any, organization: Organization, owner: Person
) -> None:
    pks = [make(organization, owner, f"Shop {number}").pk for number in range(20)]
    with_keys(NEW, OLD)
    wrong: list[str] = []
    ended = threading.Event()
    reads = 0

    def read() -> None:
        nonlocal reads
        try:
            while not ended.is_set() or reads < 40:
                row = Connection.all_organizations.get(pk=pks[reads % 20])
                if row.secrets != {"password": "canary-7f3e-horse"}:
                    wrong.append(str(row.pk))
                reads += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test is about
            wrong.append(repr(error))
        finally:
            connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        status, done = rotate()
    finally:
        ended.set()
        reader.join()
    assert (status, done["old"], wrong) == (0, 0, [])
    assert reads >= 40


def test_a_key_file_reaches_a_running_process(settings: Any, db: None, tmp_path: Path) -> None:
    loaded = keys.load(tmp_path, embedded=True)
    settings.READ_ENCRYPTION_KEYS = loaded.read_again
    settings.ENCRYPTION_KEYS_ARE_OWN = loaded.are_own
    settings.DATA_DIR, settings.KEYS_SOURCE = tmp_path, loaded.source
    assert crypto.encryption_keys(fresh=True) == tuple(loaded.encryption_keys)
    PlatformSettings.objects.create(mail_secrets={"password": "old"})
    hashed = crypto.derived_key("column hashing", "1")
    status, done = rotate("--new")
    assert (status, done["old"]) == (0, 0)
    first, second = crypto.encryption_keys()
    assert second == loaded.encryption_keys[0]
    # A process that still remembers the old keys alone is given a token of the new one.
    crypto._remembered = (time.monotonic(), (second,))
    assert PlatformSettings.objects.get().mail_secrets == {"password": "old"}
    assert rotate("--drop-old")[1]["dropped_keys"] == 1
    assert crypto.encryption_keys(fresh=True) == (first,)
    file = keys.keys_file(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.load(tmp_path, embedded=True).hashing_secret == loaded.hashing_secret
    assert crypto.derived_key("column hashing", "1") == hashed
    # Half written: what worked goes on working.
    file.write_text("{")
    assert crypto.encryption_keys(fresh=True) == (first,)
    crypto._remembered = None


def test_old_keys_stay_while_something_hangs_on_them(
    settings: Any, organization: Organization, owner: Person, tmp_path: Path
) -> None:
    loaded = keys.load(tmp_path, embedded=True)
    settings.READ_ENCRYPTION_KEYS, settings.ENCRYPTION_KEYS_ARE_OWN = loaded.read_again, True
    settings.DATA_DIR = tmp_path
    crypto.encryption_keys(fresh=True)
    make(organization, owner, "Shop")
    keys.add_encryption_key(tmp_path)
    crypto.encryption_keys(fresh=True)
    with pytest.raises(Exception, match=r"1 row\(s\) still hang on an older key"):
        rotate("--drop-old")
    assert len(crypto.encryption_keys(fresh=True)) == 2
    crypto._remembered = None


def test_keys_of_the_environment_are_changed_there(with_keys: Any, db: None) -> None:
    with pytest.raises(Exception, match="where that variable is set"):
        rotate("--new")


# Who holds ciphertext ---------------------------------------------------------------------------

#: Columns whose name promises a secret, and why the command need not know them: hashes, or no secret at all.
NO_CIPHERTEXT = {
    "tenants.User.password": "a bcrypt hash",
    "tenants.ApiKey.key_hash": "SHA-256 of 32 random bytes",
    "tenants.Invitation.token_hash": "SHA-256 of 32 random bytes",
    "socialaccount.SocialApp.secret": "no rows: providers are IdentityProvider",
    "socialaccount.SocialApp.key": "no rows: providers are IdentityProvider",
    "socialaccount.SocialToken.token": "no rows: SOCIALACCOUNT_STORE_TOKENS is off",
    "socialaccount.SocialToken.token_secret": "no rows: SOCIALACCOUNT_STORE_TOKENS is off",
    "account.EmailConfirmation.key": "no rows: addresses are proven by signed links",
    "sessions.Session.session_key": "the random name of a session",
    "django_celery_beat.PeriodicTask.routing_key": "the name of a queue",
    "tenants.PlatformSettings.api_key_days": "a number",
    "tenants.PlatformSettings.api_key_most_days": "a number",
    "orchestration.RunStep.lease_token": "which attempt may write; it opens nothing",
    "orchestration.UnexplainedError.lease_token": "the same",
    "alerts.AlertChannel.old_secret_until": "a time",
    "alerts.AlertDelivery.key": "what a message is about, so that it is sent once",
}
_SUSPICIOUS = ("secret", "password", "credential", "token", "private", "_key", "totp", "seed")
_HARMLESS = ("primary_key", "idempotency_key", "hash_key")


def test_no_model_hides_a_secret_from_the_command() -> None:
    known = {holder.label for holder in ciphertext.holders()} | NO_CIPHERTEXT.keys()
    columns = [
        f"{model._meta.label}.{field.attname}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if not field.is_relation
    ]
    suspicious = [
        column
        for column in columns
        if any(word in column.rpartition(".")[2] for word in _SUSPICIOUS) or column.endswith(".key")
    ]
    unknown = [
        column for column in suspicious if column not in known and not column.endswith(_HARMLESS)
    ]
    assert unknown == [], "say with ciphertext.hold where they are encrypted, or here why not"


@isolate_apps("tenants")
def test_an_encrypted_column_is_found_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Special(EncryptedJSONField):
        pass

    class Vault(models.Model):
        content = Special()

        class Meta:
            app_label = "tenants"

        def __str__(self) -> str:
            return "vault"

    monkeypatch.setattr(apps, "get_models", lambda **_: [Vault])
    assert "tenants.Vault.content" in [holder.label for holder in ciphertext.holders()]


# What passes as a key ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DATANIKA_SECRET_KEY": "k" * 40}, "DATANIKA_SECRET_KEY looks like a placeholder"),
        ({"DATANIKA_SECRET_KEY": f"changeme-{GOOD}"}, "looks like a placeholder"),
        ({"DATANIKA_SECRET_KEY": f"django-insecure-{GOOD}"}, "looks like a placeholder"),
        ({"DATANIKA_SECRET_KEY": "kN4rYq7Xw"}, "shorter than 32 characters"),
        ({"DATANIKA_ENCRYPTION_KEYS": "A" * 43 + "="}, "holds a key that is not random"),
        ({"DATANIKA_ENCRYPTION_KEYS": f"{NEW},{NEW}"}, "the same key twice"),
        ({"DATANIKA_ENCRYPTION_KEYS": "nonsense"}, "not a Fernet key"),
        ({"DATANIKA_SECRET_KEY": NEW}, "DATANIKA_SECRET_KEY is also in DATANIKA_ENCRYPTION_KEYS"),
        ({"DATANIKA_HASHING_KEY": GOOD}, "DATANIKA_SECRET_KEY is also in DATANIKA_HASHING_KEY"),
        ({"DATANIKA_HASHING_KEY": "x" * 40}, "DATANIKA_HASHING_KEY looks like a placeholder"),
        ({"DATANIKA_ENCRYPTION_KEYS": ""}, "DATANIKA_ENCRYPTION_KEYS must be set"),
    ],
)
def test_hole_10_weak_and_shared_keys_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], words: str
) -> None:
    good = {"DATANIKA_SECRET_KEY": GOOD, "DATANIKA_ENCRYPTION_KEYS": NEW}
    for name, value in (good | environment).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=words) as refused:
        keys.load(tmp_path, embedded=False)
    for value in environment.values():
        assert not value or value not in str(refused.value)


def test_good_keys_pass_and_the_old_key_may_go_on_hashing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATANIKA_SECRET_KEY", GOOD)
    monkeypatch.setenv("DATANIKA_ENCRYPTION_KEYS", f"{NEW},{OLD}")
    loaded = keys.load(tmp_path, embedded=False)
    assert (loaded.hashing_secret, loaded.read_again, loaded.are_own) == (OLD, None, False)
    monkeypatch.setenv("DATANIKA_HASHING_KEY", OLD)
    monkeypatch.setenv("DATANIKA_ENCRYPTION_KEYS", NEW)
    assert keys.load(tmp_path, embedded=False).hashing_secret == OLD
    assert not keys.keys_file(tmp_path).exists()


def test_a_file_that_the_variable_names_is_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "encryption"
    file.write_text(OLD)
    monkeypatch.setenv("DATANIKA_SECRET_KEY", GOOD)
    monkeypatch.setenv("DATANIKA_ENCRYPTION_KEYS_FILE", str(file))
    loaded = keys.load(tmp_path, embedded=False)
    assert loaded.read_again is not None
    file.write_text(f"{NEW},{OLD}\n")
    assert loaded.read_again() == [NEW, OLD]


def test_each_purpose_has_a_key_of_its_own(settings: Any) -> None:
    derived = {
        crypto.derived_key("column hashing", "1"),
        crypto.derived_key("something else", "1"),
        crypto.derived_key("column hashing", "2"),
        crypto.signing_key("API tokens").hex(),
        crypto.signing_key("something else").hex(),
    }
    assert len(derived) == 5
    assert not {settings.SECRET_KEY, settings.HASHING_SECRET} & derived
