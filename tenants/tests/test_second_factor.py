"""The second factor: switched on and off, asked for at every way in, and taken away by operators."""

import io
import json
import re
import threading
import time
from typing import Any
from urllib.parse import unquote

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib import admin
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.errors import Conflict, PermissionDenied
from conftest_site import PASSWORD, Person, make_person
from tenants.actors import Actor
from tenants.models import IdentityProvider, Organization, User
from tenants.services import second_factor as services
from tenants.tests.provider_replies import Replies, verify
from tenants.tests.provider_replies import google as google_says

PAGE, ACCOUNT = "/account/second-factor/", "/account/"
CODE = "/accounts/code/"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    """Rate limits count in the cache, which outlives a test."""
    cache.clear()


def code_of(secret: str, later: int = 0) -> str:
    """What the app shows now, or half minutes ``later``: no code counts twice, nor one before it."""
    step = int(time.time()) // 30 + later
    return str(format_hotp_value(hotp_value(secret.replace(" ", ""), step)))


def switched_on(user: User) -> tuple[str, list[str]]:
    """The secret in the app, and the recovery codes."""
    secret, _setup = services.new_setup(user)
    return secret, services.switch_on(user=user, secret=secret, code=code_of(secret))


def give_password(client: Client, email: str = "olga@example.com") -> Any:
    return client.post(reverse("account_login"), {"login": email, "password": PASSWORD})


def confirmed(client: Client, **given: str) -> Any:
    """The page of the second factor, after saying again who it is."""
    where = "mfa_reauthenticate" if "code" in given else "account_reauthenticate"
    return client.post(f"{reverse(where)}?next={PAGE}", given, follow=True)


def is_in(client: Client) -> bool:
    return bool(client.get(ACCOUNT).status_code == 200)


def logged(organization: Organization | None) -> list[str]:
    rows = AuditEvent.all_organizations.filter(organization=organization)
    return [row.action for row in rows.order_by("pk") if row.action.startswith("mfa.")]


def test_switching_on_asks_who_it_is_and_shows_the_codes_once(
    organization: Organization, owner: Person
) -> None:
    client = owner.client
    asked = client.get(PAGE)
    assert asked.headers["Location"] == f"/accounts/reauthenticate/?next={PAGE.replace('/', '%2F')}"
    refused = client.post(f"/accounts/reauthenticate/?next={PAGE}", {"password": "not it"})
    assert refused.status_code == 422
    assert client.get(PAGE).status_code == 302
    page = confirmed(client, password=PASSWORD)
    text = page.content.decode()
    assert page.headers["Cache-Control"].count("no-store") == 1
    secret = page.context["secret"]
    assert secret in text
    assert "data:image/svg+xml;base64," in text
    # Nothing is stored until a code proves that the app has it.
    assert secret.replace(" ", "") not in json.dumps(dict(client.session))
    assert not Authenticator.objects.exists()
    setup = re.findall(r'name="setup" value="([^"]+)"', text)[0]
    wrong = client.post(PAGE, {"setup": setup, "code": "000000"})
    assert wrong.status_code == 422
    assert wrong.context["secret"] == secret
    assert "This is not the code of the app." in wrong.content.decode()
    done = client.post(PAGE, {"setup": setup, "code": code_of(secret)})
    codes = done.context["codes"].split("\n")
    assert len(codes) == len(set(codes)) == 10
    assert all(code in unquote(done.context["download"]) for code in codes)
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    for plain in (secret.replace(" ", ""), *(code.replace(" ", "") for code in codes)):
        assert plain not in stored
    later = client.get(PAGE).content.decode()
    assert "10 are left." in later
    assert not any(code in later for code in codes)
    assert "10 recovery codes are left" in client.get(ACCOUNT).content.decode()
    assert logged(organization) == [AuditAction.MFA_ENABLED]
    again = client.post(PAGE, {"setup": setup, "code": code_of(secret)}, follow=True)
    assert again.status_code == 200
    assert Authenticator.objects.count() == 2


def test_a_set_up_page_is_good_for_one_person_and_half_an_hour(
    owner: Person, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, setup = services.new_setup(owner.user)
    assert services.secret_of_setup(owner.user, setup) == secret
    for text in (services.new_setup(stranger.user)[1], setup[:-2], "", "nonsense"):
        with pytest.raises(Conflict):
            services.secret_of_setup(owner.user, text)
    monkeypatch.setattr(services, "SETUP_SECONDS", -1)
    with pytest.raises(Conflict, match="too old"):
        services.secret_of_setup(owner.user, setup)
    confirmed(owner.client, password=PASSWORD)
    late = owner.client.post(PAGE, {"setup": setup, "code": code_of(secret)}, follow=True)
    assert "This page is too old." in late.content.decode()
    assert not Authenticator.objects.exists()


def test_nobody_locks_the_owner_of_an_unproven_address_out(owner: Person) -> None:
    EmailAddress.objects.create(
        user=owner.user, email=owner.user.email, primary=True, verified=False
    )
    with pytest.raises(Conflict, match="not verified"):
        switched_on(owner.user)
    verify(owner.user)
    switched_on(owner.user)


def test_a_sign_in_needs_the_code_and_no_code_counts_twice(
    organization: Organization, owner: Person
) -> None:
    secret, _codes = switched_on(owner.user)
    client, other = Client(), Client()
    asked = give_password(client)
    assert asked.headers["Location"] == CODE
    assert not is_in(client)
    assert client.get(CODE).status_code == 200
    for answer in (
        {"code": "000000"},
        {"code": code_of(secret)},
        {"code": ""},
        {},
        {"credential": "x"},
    ):
        # The second is that with which it was switched on.
        assert client.post(CODE, answer).status_code == 422, answer
        assert not is_in(client)
        cache.clear()
    fresh = code_of(secret, 1)
    assert client.post(CODE, {"code": f" {fresh[:3]} {fresh[3:]}"}).status_code == 302
    assert is_in(client)
    give_password(other)
    assert other.post(CODE, {"code": fresh}).status_code == 422
    assert not is_in(other)
    failed = AuditEvent.objects.for_organization(organization).filter(
        action=AuditAction.SIGN_IN_FAILED
    )
    assert {(event.actor_kind, event.ip) for event in failed} == {("unknown", "127.0.0.1")}
    assert failed[0].changes == {"step": [None, "second factor"]}
    # Without the first step there is no second, and one may begin anew as somebody else.
    assert Client().get(CODE).headers["Location"] == "/accounts/login/"
    other.post(reverse("account_logout"))
    assert other.get(CODE).headers["Location"] == "/accounts/login/"


def test_a_recovery_code_signs_in_once(owner: Person) -> None:
    _secret, codes = switched_on(owner.user)
    client, other = Client(), Client()
    give_password(client)
    page = client.post(CODE, {"code": f"{codes[3][:4]} {codes[3][4:]}"}, follow=True)
    assert "You used a recovery code; 9 are left." in page.content.decode()
    assert services.second_factor_of(owner.user).codes_left == 9
    give_password(other)
    assert other.post(CODE, {"code": codes[3]}).status_code == 422
    assert not is_in(other)


def test_guessing_codes_is_slowed_down(owner: Person) -> None:
    secret, _codes = switched_on(owner.user)
    client = Client()
    give_password(client)
    for _ in range(5):
        assert client.post(CODE, {"code": "000000"}).status_code == 422
    late = client.post(CODE, {"code": code_of(secret, 1)})
    assert late.status_code == 429
    assert 200 < int(late.headers["Retry-After"]) <= 300
    assert "Too many failed attempts" in late.content.decode()
    # A new beginning with the password does not help.
    give_password(again := Client())
    assert again.post(CODE, {"code": code_of(secret, 1)}).status_code == 429
    assert not is_in(again)
    # Nor does asking where somebody is signed in already.
    cache.clear()
    url = reverse("account_reauthenticate")
    answers = [owner.client.post(url, {"password": "wrong"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 200


def test_a_provider_vouches_for_the_first_step_only(
    google: IdentityProvider, organization: Organization, owner: Person, replies: Replies
) -> None:
    verify(owner.user)
    secret, _codes = switched_on(owner.user)
    page = google_says(replies, client := Client(), claims={"email": owner.user.email})
    assert page.redirect_chain[-1] == (CODE, 302)
    assert not is_in(client)
    assert client.post(CODE, {"code": code_of(secret, 1)}).status_code == 302
    assert is_in(client)


def test_the_admin_has_no_sign_in_of_its_own(owner: Person) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    switched_on(owner.user)
    client = Client()
    data = {"username": owner.user.email, "password": PASSWORD, "next": "/admin/"}
    for answer in (client.get("/admin/login/?next=/admin/"), client.post("/admin/login/", data)):
        assert answer.headers["Location"] == "/accounts/login/?next=%2Fadmin%2F"
    assert client.get("/admin/").status_code == 302
    assert owner.client.get("/admin/").status_code == 200
    assert not admin.site.is_registered(Authenticator)


def test_new_codes_end_the_old_ones_and_off_is_off(
    organization: Organization, owner: Person
) -> None:
    _secret, old = switched_on(owner.user)
    client = owner.client
    for path in (PAGE, f"{PAGE}codes/", f"{PAGE}off/"):
        asked = client.get(path) if path == PAGE else client.post(path)
        assert asked.headers["Location"].startswith("/accounts/reauthenticate/"), path
    assert services.second_factor_of(owner.user).is_on
    # A code of one's own proves it as well as the password.
    assert "Recovery codes" in confirmed(client, code=old[0]).content.decode()
    shown = client.post(f"{PAGE}codes/").context["codes"].replace(" ", "").split("\n")
    assert not set(shown) & set(old)
    assert services.prove(user=owner.user, code=old[1]) is None
    assert services.prove(user=owner.user, code=shown[1]) is not None
    assert client.post(f"{PAGE}off/").headers["Location"] == ACCOUNT
    assert not Authenticator.objects.exists()
    assert give_password(Client()).headers["Location"] != CODE
    assert client.post(f"{PAGE}off/").status_code == 409
    assert client.post(f"{PAGE}codes/").status_code == 409
    assert logged(organization) == [
        AuditAction.MFA_ENABLED, AuditAction.RECOVERY_CODES_MADE, AuditAction.MFA_DISABLED,
    ]  # fmt: skip


def test_another_address_needs_a_code_where_there_is_no_password(owner: Person) -> None:
    owner.user.set_unusable_password()
    owner.user.save()
    client = Client()
    client.force_login(owner.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    address = reverse("account_email")
    # Somebody whom a provider alone vouches for has nothing to be asked for.
    assert client.get(address).status_code == 200
    _secret, codes = switched_on(owner.user)
    for answer in (client.get(address), client.post(address, {"email": "new@example.com"})):
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/code/")
    confirmed(client, code=codes[0])
    assert client.get(address).status_code == 200


def test_operators_remove_it_from_who_has_lost_it(
    organization: Organization, owner: Person, editor: Person, stranger: Person
) -> None:
    for person in (editor, stranger):
        switched_on(person.user)
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    data = {"action": "remove_second_factor", "_selected_action": [editor.user.pk, owner.user.pk]}
    page = owner.client.post(reverse("admin:tenants_user_changelist"), data, follow=True)
    assert [str(message) for message in page.context["messages"]] == [
        "edith@example.com signs in with the password alone again.",
        "olga@example.com: The second factor is off already.",
    ]
    assert logged(organization) == [AuditAction.MFA_ENABLED, AuditAction.MFA_REMOVED]
    event = AuditEvent.objects.for_organization(organization).get(action=AuditAction.MFA_REMOVED)
    assert (event.actor_kind, event.target_label) == ("operator", "edith@example.com")
    out = io.StringIO()
    call_command("remove_second_factor", "SAM@example.com", stdout=out)
    assert "sam@example.com" in out.getvalue()
    assert logged(None) == [AuditAction.MFA_REMOVED] * 2
    assert not Authenticator.objects.exists()
    for address, words in (
        ("nobody@example.com", "Nobody has"),
        ("sam@example.com", "off already"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command("remove_second_factor", address)


def test_members_do_not_remove_that_of_others(owner: Person, editor: Person) -> None:
    switched_on(editor.user)
    with pytest.raises(PermissionDenied):
        services.remove_second_factor(user=editor.user, actor=owner.actor)
    with pytest.raises(PermissionDenied):
        services.remove_second_factor(user=editor.user, actor=Actor.unknown("somebody"))
    assert services.second_factor_of(editor.user).is_on


def test_who_is_not_signed_in_sees_none_of_the_pages(db: None, client: Client) -> None:
    for path in (PAGE, "/accounts/reauthenticate/", "/accounts/reauthenticate/code/"):
        assert client.get(path).headers["Location"].startswith("/accounts/login/"), path
    for path in (f"{PAGE}codes/", f"{PAGE}off/"):
        assert client.post(path).headers["Location"].startswith("/accounts/login/"), path
        assert client.get(path).status_code == 405, path


@pytest.mark.django_db(transaction=True)
def test_of_two_sign_ins_at_once_with_one_code_one_comes_in() -> None:
    """A code seen over the shoulder is typed at the same moment as by its owner."""
    user = make_person("Olga").user
    secret, recovery = switched_on(user)
    for code in (code_of(secret, 1), recovery[0]):
        barrier = threading.Barrier(4, timeout=10)
        results: list[bool] = []
        threads = [
            threading.Thread(target=_attempt, args=(user, code, barrier, results))
            for _number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(results) == [False, False, False, True], code


def _attempt(user: User, code: str, barrier: threading.Barrier, results: list[bool]) -> None:
    try:
        barrier.wait()
        results.append(services.prove(user=user, code=code) is not None)
    finally:
        connection.close()
