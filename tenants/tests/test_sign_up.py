"""People who make an account by themselves: who may, what they are told, and how they prove their address."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.access import Role
from conftest_site import PASSWORD, Person
from orchestration import retention
from tenants import services
from tenants.actors import Actor
from tenants.errors import SignUpRefused
from tenants.models import Membership, Organization, PlatformSettings, SignUpPolicy, User
from tenants.services import addresses
from tenants.services.sign_ins import is_signing_up_allowed
from tenants.services.sign_up import sign_up
from tenants.tests.conftest import Post

PAGE, SENT = "/accounts/signup/", "/accounts/verify/sent/"
OTHER = "the second of two phrases"
VERA: dict[str, Any] = {"name": "Vera", "email": "vera@example.com", "password": PASSWORD}


def allow(policy: SignUpPolicy, *domains: str) -> None:
    values = {"sign_up_policy": policy, "sign_up_domains": list(domains)}
    PlatformSettings.objects.update_or_create(pk=1, defaults=values)


@pytest.fixture
def is_open(owner: Person) -> None:
    allow(SignUpPolicy.OPEN)


def shape(response: Any) -> tuple[int, str]:
    return response.status_code, response.headers.get("Location", "")


def test_sign_up_prove_the_address_and_begin(is_open: None, client: Client, post: Post) -> None:
    assert reverse("account_signup") in client.get("/accounts/login/").content.decode()
    done = client.post(PAGE, {**VERA, "email": "Vera@Example.com"})
    assert shape(done) == (302, SENT)
    assert "vera@example.com" in client.get(SENT).content.decode()
    user = User.objects.get(email="vera@example.com")
    assert addresses.must_verify(user)
    link = post.link()
    # Opening it, as programs that look through mail do, confirms nothing.
    assert 'name="password"' not in client.get(link).content.decode()
    assert addresses.must_verify(user)
    confirmed = client.post(link)
    assert confirmed.headers["Location"] == reverse("tenants:organization-create")
    assert addresses.is_verified(user)
    made = client.post(confirmed.headers["Location"], {"name": "Vera's"}, follow=True)
    assert made.status_code == 200
    assert made.wsgi_request.user == user
    actions = AuditEvent.all_organizations.filter(target_id=str(user.pk), target_type="user")
    told = list(actions.order_by("pk").values_list("action", "organization", "ip"))
    assert told == [
        (AuditAction.SIGNED_UP, None, "127.0.0.1"),
        (AuditAction.EMAIL_VERIFIED, None, "127.0.0.1"),
        (AuditAction.SIGNED_IN, None, "127.0.0.1"),
    ]
    assert "confirmed already" in client.get(link, follow=True).content.decode()


def test_known_and_unknown_addresses_get_one_answer(is_open: None, post: Post) -> None:
    answers, pages = [], []
    for email in ("olga@example.com", "vera@example.com"):
        client = Client()
        answers.append(shape(client.post(PAGE, {**VERA, "email": email})))
        pages.append(client.get(SENT).content.decode().replace(email, ""))
        assert sorted(client.session["sign_up"]) == ["email", "mark", "next"]
    assert answers == [(302, SENT)] * 2
    # Each page has a token of its own against forged requests.
    assert len({page.split("csrfmiddlewaretoken")[0] for page in pages}) == 1
    subjects = [(message.to[0], message.subject) for message in post.deliver()]
    assert subjects == [
        ("olga@example.com", "You have an account at Datanika already"),
        ("vera@example.com", "Confirm your e-mail address for Datanika"),
    ]
    olga = User.objects.get(email="olga@example.com")
    assert (olga.name, olga.check_password(PASSWORD)) == ("Olga", True)


def test_nobody_comes_in_before_the_address_is_proven(
    is_open: None, organization: Organization, client: Client, post: Post
) -> None:
    Client().post(PAGE, VERA)
    post.asked.clear()
    page = client.post("/accounts/login/", {"login": VERA["email"], "password": PASSWORD})
    assert shape(page) == (302, SENT)
    assert "_auth_user_id" not in client.session
    assert [asked[:2] for asked in post.asked] == [("sign_up", VERA["email"])]
    token = client.post(
        "/api/v1/auth/token/",
        {"email": VERA["email"], "password": PASSWORD, "organization": organization.slug},
        content_type="application/json",
    )
    assert (token.status_code, token.json()["code"]) == (401, "sign_in_refused")
    # This browser gave the password as well, so the link needs no more.
    assert client.post(post.link()).headers["Location"] == reverse("tenants:organization-create")


def test_hole_11_an_address_registered_beforehand_is_worth_nothing(
    is_open: None, client: Client, post: Post
) -> None:
    """An attacker signs up with the address of a victim, and waits with the password."""
    attacker = Client()
    attacker.post(PAGE, {**VERA, "password": OTHER})
    link = post.link()
    # The victim finds the mail and opens it: without the attacker's password it confirms nothing.
    assert 'name="password"' in client.get(link).content.decode()
    refused = client.post(link, {"password": PASSWORD})
    assert refused.status_code == 422
    user = User.objects.get(email=VERA["email"])
    assert not addresses.is_verified(user)
    # The victim signs up: the account is theirs now, and what the attacker knows is worth nothing.
    client.post(PAGE, VERA)
    assert client.get(link).status_code == 404
    client.post(post.link())
    user.refresh_from_db()
    assert addresses.is_verified(user)
    assert user.check_password(PASSWORD)
    stale = attacker.post("/accounts/login/", {"login": VERA["email"], "password": OTHER})
    assert stale.status_code == 422
    # Neither does a later sign-up take it back.
    attacker.post(PAGE, {**VERA, "password": OTHER})
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_reset_gives_the_victim_the_account(is_open: None, client: Client, post: Post) -> None:
    Client().post(PAGE, {**VERA, "password": OTHER})
    post.asked.clear()
    client.post("/accounts/password/reset/", {"email": VERA["email"]})
    form = client.get(post.link(), follow=True).request["PATH_INFO"]
    client.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    assert addresses.is_verified(User.objects.get(email=VERA["email"]))
    done = client.post("/accounts/login/", {"login": VERA["email"], "password": PASSWORD})
    assert shape(done) == (302, "/")


def test_another_browser_proves_that_it_knows_the_password(
    is_open: None, client: Client, post: Post
) -> None:
    Client().post(PAGE, {**VERA, "next": "/invitations/abc/"})
    link = post.link()
    assert client.post(link, {"password": PASSWORD}).status_code == 302
    assert client.get("/").headers["Location"] == reverse("tenants:organization-list")


def test_the_way_they_came_by_is_kept(is_open: None, client: Client, post: Post) -> None:
    page = client.get("/accounts/login/?next=/invitations/abc/").content.decode()
    assert "/accounts/signup/?next=%2Finvitations%2Fabc%2F" in page
    client.post(PAGE, {**VERA, "next": "/invitations/abc/"})
    assert client.post(post.link()).headers["Location"] == "/invitations/abc/"


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/x", "javascript:x"])
def test_the_way_leads_nowhere_else(is_open: None, client: Client, post: Post, wanted: str) -> None:
    client.post(PAGE, {**VERA, "next": wanted})
    assert client.post(post.link()).headers["Location"] == reverse("tenants:organization-create")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (SignUpPolicy.INVITATION, "Ask an admin of your organization to invite you"),
        (SignUpPolicy.CLOSED, "Ask the operator of this installation"),
    ],
)
def test_a_closed_door_says_whom_to_ask(
    owner: Person, client: Client, post: Post, policy: SignUpPolicy, words: str
) -> None:
    allow(policy)
    assert PAGE not in client.get("/accounts/login/").content.decode()
    page = client.get(PAGE)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert client.post(PAGE, VERA).status_code == 403
    assert User.objects.count() == 1
    assert post.asked == []
    with pytest.raises(SignUpRefused):
        sign_up(**VERA)


def test_closed_is_closed_to_the_invited_too_but_not_to_people_who_are_here(
    organization: Organization, owner: Person, stranger: Person
) -> None:
    allow(SignUpPolicy.CLOSED)
    data: dict[str, Any] = {"name": "Ivy", "password": PASSWORD}
    for email, status, members in (("ivy@example.com", 403, 1), ("sam@example.com", 302, 2)):
        _invitation, token = services.invite(
            organization=organization, email=email, role=Role.VIEWER, actor=owner.actor
        )
        path = reverse("tenants:invitation-accept", args=[token])
        client = stranger.client if status == 302 else Client()
        answer = client.post(path, data)
        assert answer.status_code == status
        assert Membership.objects.for_organization(organization).count() == members
        if status == 403:
            assert "Nobody new gets an account" in answer.content.decode()
            with pytest.raises(SignUpRefused):
                services.join(token=token, **data)
    assert not User.objects.filter(email="ivy@example.com").exists()


def test_only_certain_domains_and_nothing_of_who_is_invited(
    organization: Organization, owner: Person, client: Client, post: Post
) -> None:
    allow(SignUpPolicy.DOMAINS, "Example.com")
    services.invite(
        organization=organization, email="ivy@other.org", role=owner.actor.role, actor=owner.actor
    )
    assert is_signing_up_allowed("ivy@other.org"), "by the link, and with a provider"
    answers = set()
    for email in ("ivy@other.org", "nobody@other.org"):
        page = client.post(PAGE, {**VERA, "email": email})
        text = page.content.decode()
        assert page.status_code == 422
        assert "Only addresses of example.com can sign up here." in text
        answers.add(text.replace(email, "").split("csrfmiddlewaretoken")[0])
    assert len(answers) == 1
    assert client.post(PAGE, VERA).status_code == 302
    assert "For addresses of example.com" in client.get(PAGE).content.decode()


def test_without_mail_nobody_is_led_into_a_dead_end(
    is_open: None, client: Client, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert PAGE not in client.get("/accounts/login/").content.decode()
    assert "no mail server is set up here" in client.get(PAGE).content.decode()
    assert client.post(PAGE, VERA).status_code == 403
    assert User.objects.count() == 1


def test_a_weak_password_and_a_bad_address_are_said_at_once(
    is_open: None, client: Client, post: Post
) -> None:
    for email in ("olga@example.com", "vera@example.com"):
        page = client.post(PAGE, {**VERA, "email": email, "password": "short"})
        assert page.status_code == 422
        assert "too short" in page.content.decode()
        assert 'value="short"' not in page.content.decode()
    assert client.post(PAGE, {**VERA, "email": "vera"}).status_code == 422
    assert post.asked == []


def test_a_person_switched_off_does_not_come_back_by_signing_up(
    is_open: None, client: Client, post: Post
) -> None:
    client.post(PAGE, VERA)
    user = User.objects.get(email=VERA["email"])
    services.deactivate_user(user=user, actor=Actor.operator())
    link = post.deliver()
    assert [message.subject for message in link] == ["You have an account at Datanika already"]
    client.post(PAGE, {**VERA, "password": OTHER})
    user.refresh_from_db()
    assert (user.is_active, user.check_password(PASSWORD)) == (False, True)


def test_two_at_once_make_one_account(is_open: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database decides; here the first request commits right after the second has looked."""
    user = User.objects.create_user(VERA["email"], OTHER)
    monkeypatch.setattr("tenants.services.sign_up.find_person", lambda email: None)
    assert sign_up(**VERA) is None
    user.refresh_from_db()
    assert user.check_password(OTHER)
    assert not EmailAddress.objects.filter(user=user).exists()


def test_an_account_that_nobody_proves_is_removed_after_a_month(
    organization: Organization, client: Client, post: Post, is_open: None
) -> None:
    for email in ("vera@example.com", "ina@example.com", "uma@example.com"):
        Client().post(PAGE, {**VERA, "email": email})
    addresses.mark_verified(user=User.objects.get(email="ina@example.com"))
    User.objects.create_user("made.by.hand@example.com", PASSWORD)
    User.objects.update(date_joined=timezone.now() - timedelta(days=31))
    # Begun again: a month from now.
    client.post(PAGE, {**VERA, "email": "uma@example.com"})
    assert retention.preview(timezone.now())["sign_ups"] == 1
    report = retention.prune(timezone.now())
    assert (report.as_json()["items"]["sign_ups"], report.errors) == (1, [])
    left = set(User.objects.values_list("email", flat=True))
    assert left == {
        "olga@example.com",
        "ina@example.com",
        "uma@example.com",
        "made.by.hand@example.com",
    }
