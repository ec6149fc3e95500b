"""Signing in and out, passwords, the first start: the way a browser does it."""

import re

import pytest
from django.core.cache import cache
from django.test import Client, override_settings
from django.urls import NoReverseMatch, reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from conftest_site import PASSWORD, Person
from datanika_site import settings as real_settings
from tenants.models import Organization, User
from tenants.tests.conftest import Post

NEW = "a wholly different phrase"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    """Rate limits count in the cache, which outlives a test."""
    cache.clear()


def logged(organization: Organization) -> list[tuple[str, str, str]]:
    rows = AuditEvent.objects.for_organization(organization).order_by("pk")
    session = rows.filter(action__regex="^(session|password)")
    return list(session.values_list("action", "actor_kind", "actor_label"))


def sign_in(client: Client, email: str, password: str) -> int:
    data = {"login": email, "password": password}
    return client.post(reverse("account_login"), data).status_code


def test_sign_in_out_and_what_the_log_says(organization: Organization, client: Client) -> None:
    page = client.get("/", follow=True)
    assert page.redirect_chain == [("/accounts/login/", 302)]
    assert sign_in(client, "olga@example.com", "wrong password") == 422
    assert sign_in(client, "OLGA@example.com", PASSWORD) == 302
    overview = reverse("orchestration:overview", args=[organization.slug])
    assert client.get("/").headers["Location"] == overview
    assert client.post(reverse("account_logout")).headers["Location"] == "/accounts/login/"
    assert client.get(overview).status_code == 302
    assert logged(organization) == [
        (AuditAction.SIGN_IN_FAILED, "unknown", "olga@example.com"),
        (AuditAction.SIGNED_IN, "user", "Olga"),
        (AuditAction.SIGNED_OUT, "user", "Olga"),
    ]
    event = AuditEvent.objects.for_organization(organization).first()
    assert event is not None
    assert event.ip == "127.0.0.1"


def test_a_wrong_pair_has_one_answer_and_keeps_the_address(
    organization: Organization, client: Client
) -> None:
    answers = []
    for email in ("olga@example.com", "nobody@example.com"):
        data = {"login": email, "password": "wrong password"}
        response = client.post(reverse("account_login"), data)
        assert response.status_code == 422
        text = response.content.decode()
        assert f'value="{email}"' in text
        assert "wrong password" not in text
        answers.append(re.findall(r'role="alert".*?</div>', text, re.DOTALL)[0])
    assert answers[0] == answers[1]
    assert "The e-mail address or the password is wrong." in answers[0]


def test_guessing_is_slowed_down(organization: Organization, client: Client, post: Post) -> None:
    for _ in range(5):
        assert sign_in(client, "olga@example.com", "wrong password") == 422
    response = client.post(
        reverse("account_login"), {"login": "olga@example.com", "password": PASSWORD}
    )
    assert "Wait five minutes" in response.content.decode()
    assert response.status_code == 429
    assert 290 <= int(response["Retry-After"]) <= 300
    reset = [
        client.post(reverse("account_reset_password"), {"email": "olga@example.com"})
        for _ in range(6)
    ]
    assert [response.status_code for response in reset] == [302] * 5 + [429]
    assert "Too many attempts" in reset[-1].content.decode()
    assert len(post.deliver()) == 5


def test_passwords_are_hashed_with_bcrypt(db: None, client: Client) -> None:
    """With the hashers of the real settings, not the fast ones of the tests."""
    data = {
        "organization_name": "Acme",
        "name": "Olga",
        "email": "olga@example.com",
        "password": PASSWORD,
    }
    with override_settings(PASSWORD_HASHERS=real_settings.PASSWORD_HASHERS):
        assert client.post(reverse("tenants:welcome"), data).status_code == 302
        user = User.objects.get()
        assert user.password.startswith("bcrypt_sha256$$2b$12$")
        assert user.check_password(PASSWORD)
        # bcrypt alone would stop reading after 72 bytes.
        user.set_password("x" * 72 + "a")
        assert not user.check_password("x" * 72 + "b")


def test_the_first_start_signs_in_and_is_then_gone(db: None, client: Client) -> None:
    assert client.get("/").headers["Location"] == reverse("tenants:welcome")
    data = {"organization_name": "Acme", "name": "Olga", "email": "olga@example.com"}
    refused = client.post(reverse("tenants:welcome"), {**data, "password": "short"})
    assert refused.status_code == 422
    assert 'value="olga@example.com"' in refused.content.decode()
    assert "too short" in refused.content.decode()
    done = client.post(reverse("tenants:welcome"), {**data, "password": PASSWORD})
    assert done.headers["Location"] == reverse("orchestration:overview", args=["acme"])
    assert client.get(reverse("tenants:welcome")).status_code == 404
    assert logged(Organization.objects.get())[-1][0] == AuditAction.SIGNED_IN


def test_changing_the_password_ends_other_sessions(organization: Organization) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        assert sign_in(client, "olga@example.com", PASSWORD) == 302
    data = {"oldpassword": "not it", "password1": NEW, "password2": NEW}
    refused = here.post(reverse("account_change_password"), data)
    assert refused.status_code == 422
    assert "This is not your current password." in refused.content.decode()
    done = here.post(reverse("account_change_password"), {**data, "oldpassword": PASSWORD})
    assert done.headers["Location"] == reverse("tenants:account")
    assert here.get(reverse("tenants:account")).status_code == 200
    assert there.get(reverse("tenants:account")).status_code == 302
    assert logged(organization)[-1] == (AuditAction.PASSWORD_CHANGED, "user", "Olga")


def test_a_forgotten_password_is_reset_by_mail(
    organization: Organization, client: Client, post: Post
) -> None:
    url = reverse("account_reset_password")
    for email in ("nobody@example.com", "olga@example.com"):
        response = client.post(url, {"email": email})
        assert response.headers["Location"] == reverse("account_reset_password_done")
    (message,) = post.deliver()
    assert message.to == ["olga@example.com"]
    assert message.subject == "Choose a new password for Datanika"
    link = re.findall(r"http://localhost:8000(\S+)", str(message.body))[0]
    form = client.get(link, follow=True)
    assert "set-password" in form.request["PATH_INFO"]
    done = client.post(form.request["PATH_INFO"], {"password1": NEW, "password2": NEW}, follow=True)
    assert "Your password is changed" in done.content.decode()
    assert sign_in(client, "olga@example.com", NEW) == 302
    assert AuditAction.PASSWORD_CHANGED in {action for action, *_ in logged(organization)}
    dead = Client().get(link, follow=True)
    assert "does not work any more" in dead.content.decode()


def test_a_person_switched_off_is_out(organization: Organization, owner: Person) -> None:
    account = reverse("tenants:account")
    assert owner.client.get(account).status_code == 200
    User.objects.update(is_active=False)
    assert owner.client.get(account).status_code == 302
    client = Client()
    data = {"login": "olga@example.com", "password": PASSWORD}
    page = client.post(reverse("account_login"), data, follow=True)
    assert "This account is switched off" in page.content.decode()
    assert "_auth_user_id" not in client.session


def test_only_the_pages_in_use_exist(db: None, client: Client) -> None:
    for name in ("account_set_password", "account_request_login_code", "socialaccount_signup"):
        with pytest.raises(NoReverseMatch):
            reverse(name)
    for path in ("confirm-email", "password/set", "3rdparty", "login/code"):
        assert client.get(f"/accounts/{path}/").status_code == 404
