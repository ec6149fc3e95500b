"""Signing in with accounts of somebody else; the replies are those of ``provider_replies``."""

import json
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client
from django.urls import reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.access import Role
from common.errors import Conflict
from conftest_site import PASSWORD, Person, make_person
from tenants import services as tenants
from tenants.models import IdentityProvider, Organization, PlatformSettings, SignUpPolicy, User
from tenants.providers import nonce_of
from tenants.services import providers as services
from tenants.services.sign_ins import unlink_sign_in
from tenants.tests.provider_replies import (
    ISSUER,
    OPERATOR,
    SECRET,
    SERVER,
    Replies,
    begin,
    come_back,
    make,
    token_of,
    verify,
)
from tenants.tests.provider_replies import github as github_says
from tenants.tests.provider_replies import google as google_says
from tenants.tests.provider_replies import server as server_says


@pytest.fixture
def github(db: None) -> IdentityProvider:
    return make("github")


def policy(value: SignUpPolicy, *domains: str) -> None:
    PlatformSettings(sign_up_policy=value, sign_up_domains=list(domains)).save()


def who(client: Client) -> int | None:
    found = client.session.get("_auth_user_id")
    return int(found) if found else None


def title(page: Any) -> str:
    return str(page.context["problem"]["title"])


# Holes of a predecessor --------------------------------------------------------------------------


def test_hole_11_sign_in_with_a_provider_takes_no_account_over(
    google: IdentityProvider, organization: Organization, replies: Replies
) -> None:
    """An address that nobody proved, on either side, is no proof of who somebody is."""
    victim = make_person("Vera").user
    unproven = google_says(replies, client := Client(), claims={"email_verified": False})
    assert "has not verified your e-mail address" in title(unproven)
    assert who(client) is None
    # Somebody else made the account, and waits with its password.
    waiting = google_says(replies, client, claims={})
    assert "whose address was never verified" in title(waiting)
    assert (who(client), SocialAccount.objects.count()) == (None, 0)
    assert victim.check_password(PASSWORD)
    verify(victim)
    google_says(replies, client, claims={})
    assert who(client) == victim.pk
    # The id counts from now on: the address at the provider may be anything.
    google_says(replies, again := Client(), claims={"email": "new@example.com"})
    assert who(again) == victim.pk
    # And another id with the same unproven address is nobody.
    stranger = Client()
    google_says(replies, stranger, claims={"sub": "2", "email_verified": False})
    assert who(stranger) is None
    User.objects.filter(pk=victim.pk).update(is_active=False)
    off = google_says(replies, gone := Client(), claims={})
    assert "This account is switched off." in title(off)
    assert who(gone) is None


def test_hole_12_no_token_in_an_address_and_each_answer_is_bound_to_its_question(
    main: IdentityProvider, replies: Replies
) -> None:
    policy(SignUpPolicy.OPEN)
    person = {"email": "vera@example.com", "email_verified": True}
    page = server_says(replies, client := Client(), claims=person, next="/account/")
    assert page.redirect_chain == [("/account/", 302)]
    assert who(client) is not None
    # PKCE: the code alone is worth nothing.
    sent = begin(other := Client(), "main")
    assert sent["code_challenge_method"] == "S256"
    assert len(replies.form(f"{ISSUER}/token")["code_verifier"]) >= 43
    assert SECRET not in json.dumps(sent)
    # The state is good in the session that asked, once.
    for guest, state in ((Client(), sent["state"]), (other, "made-up")):
        assert come_back(guest, "main", state).status_code == 401
        assert who(guest) is None
    for wrong in ({"nonce": "of another"}, {"nonce": ""}, {"aud": "another"}, {"iss": "https://x.example"},
                  {"exp": 1}, {"sub": "u-2"}):  # fmt: skip
        page = server_says(
            replies,
            guest := Client(),
            claims=person,
            change=lambda told, wrong=wrong: told.update(wrong),  # type: ignore[misc]
        )
        assert (page.status_code, who(guest)) == (401, None), wrong
        assert page.redirect_chain == [(reverse("socialaccount_login_error"), 302)]
    assert not SocialToken.objects.exists()
    stored = json.dumps(list(SocialAccount.objects.values("extra_data"))) + json.dumps(
        dict(client.session)
    )
    assert "ya29_secret" not in stored
    assert "id_token" not in stored


def test_the_state_works_once(main: IdentityProvider, replies: Replies) -> None:
    policy(SignUpPolicy.OPEN)
    person = {"email": "vera@example.com", "email_verified": True}
    replies.answers[f"{ISSUER}/.well-known/openid-configuration"] = SERVER
    client = Client()
    server_says(replies, client, claims=person)
    state = begin(client, "main")["state"]
    come_back(client, "main", state)
    assert come_back(client, "main", state).status_code == 401


# Who comes in ------------------------------------------------------------------------------------


def test_github_counts_only_its_primary_verified_address(
    github: IdentityProvider, owner: Person, replies: Replies
) -> None:
    verify(owner.user)
    mine, client = "olga@example.com", Client()
    for primary, verified in ((True, False), (False, True)):
        emails = [{"email": mine, "primary": primary, "verified": verified}]
        page = github_says(replies, client, emails=emails)
        assert "has not verified" in title(page)
        assert who(client) is None
    emails = [{"email": "Olga@Example.com", "primary": True, "verified": True}]
    github_says(replies, client, emails=emails)
    assert who(client) == owner.user.pk
    assert SocialAccount.objects.get().uid == "4711"


@pytest.mark.parametrize("said", ["false", None, 0, "yes"])
def test_only_a_plain_yes_is_a_verified_address(
    main: IdentityProvider, replies: Replies, said: object
) -> None:
    policy(SignUpPolicy.OPEN)
    claims = {"email": "vera@example.com", "email_verified": said}
    assert "has not verified" in title(server_says(replies, Client(), claims=claims))


def test_newcomers_come_as_the_policy_says(
    google: IdentityProvider, owner: Person, replies: Replies
) -> None:
    assert owner.membership is not None
    for value, domains in (
        (SignUpPolicy.INVITATION, ()),
        (SignUpPolicy.DOMAINS, ("other.example",)),
        (SignUpPolicy.CLOSED, ()),
    ):
        policy(value, *domains)
        page = google_says(replies, Client(), claims={})
        assert title(page) == "There is no account for vera@example.com here."
    policy(SignUpPolicy.DOMAINS, "example.com")
    google_says(replies, client := Client(), claims={})
    user = User.objects.get(email="vera@example.com")
    assert (who(client), user.name, user.has_usable_password()) == (user.pk, "Vera Gross", False)
    assert EmailAddress.objects.get(user=user).verified
    policy(SignUpPolicy.INVITATION)
    tenants.invite(
        organization=owner.membership.organization, email="ida@example.com", role=Role.VIEWER,
        actor=owner.actor,
    )  # fmt: skip
    claims = {"sub": "3", "email": "ida@example.com"}
    google_says(replies, invited := Client(), claims=claims)
    assert who(invited) == User.objects.get(email="ida@example.com").pk


def test_the_domains_of_a_provider_hold_for_the_linked_too(db: None, replies: Replies) -> None:
    provider = make("google")
    policy(SignUpPolicy.OPEN)
    google_says(replies, Client(), claims={})
    services.update_provider(provider=provider, actor=OPERATOR, domains=["work.example"])
    page = google_says(replies, client := Client(), claims={})
    assert "only addresses of work.example" in title(page)
    assert who(client) is None


def test_going_on_stays_on_this_site(google: IdentityProvider, replies: Replies) -> None:
    policy(SignUpPolicy.OPEN)
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        page = google_says(replies, Client(), claims={}, next=elsewhere)
        assert all(url.startswith("/") and "evil" not in url for url, _ in page.redirect_chain)


def test_a_sign_in_begins_with_a_button_of_ours(
    google: IdentityProvider, owner: Person, replies: Replies
) -> None:
    url = reverse("provider_login", args=["google"])
    assert Client().get(url).status_code == 405
    assert Client(enforce_csrf_checks=True).post(url).status_code == 403
    assert "Continue with Google" in Client().get(reverse("account_login")).content.decode()
    services.update_provider(provider=google, actor=OPERATOR, is_enabled=False)
    assert "Continue with" not in Client().get(reverse("account_login")).content.decode()
    for gone in ("google", "github", "main"):
        assert Client().post(reverse("provider_login", args=[gone])).status_code == 404
    assert Client().get(reverse("google_callback")).status_code == 404


def test_who_turns_back_or_finds_no_server_reads_a_sentence(
    main: IdentityProvider, replies: Replies
) -> None:
    page = Client().post(reverse("provider_login", args=["main"]), follow=True)
    assert "cannot be read: no connection" in title(page)
    replies.answers[f"{ISSUER}/.well-known/openid-configuration"] = SERVER
    sent = begin(client := Client(), "main")
    url = reverse("openid_connect_callback", kwargs={"provider_id": "main"})
    back = client.get(url, {"error": "access_denied", "state": sent["state"]}, follow=True)
    assert "You turned back" in back.content.decode()


# Links -------------------------------------------------------------------------------------------


def test_linking_and_unlinking_is_in_the_log(
    google: IdentityProvider, owner: Person, organization: Organization, replies: Replies
) -> None:
    page = google_says(replies, owner.client, claims={"email": "o@home.example"}, process="connect")
    assert page.redirect_chain == [(reverse("socialaccount_connections"), 302)]
    account = SocialAccount.objects.get(user=owner.user)
    assert "o@home.example" in page.content.decode()
    other = make_person("Vera")
    taken = google_says(replies, other.client, claims={}, process="connect")
    assert "linked to somebody else" in title(taken)
    other.client.post(reverse("socialaccount_connections"), {"account": account.pk})
    assert SocialAccount.objects.filter(pk=account.pk).exists()
    owner.client.post(reverse("socialaccount_connections"), {"account": account.pk})
    assert not SocialAccount.objects.exists()
    events = AuditEvent.objects.for_organization(organization).filter(action__startswith="sign_in.")
    assert list(events.order_by("pk").values_list("action", "changes")) == [
        (AuditAction.PROVIDER_LINKED, {"provider": [None, "Google"]}),
        (AuditAction.PROVIDER_UNLINKED, {"provider": ["Google", None]}),
    ]


def test_a_link_is_for_who_started_it(
    google: IdentityProvider, owner: Person, replies: Replies
) -> None:
    begin(owner.client, "google", process="connect")
    session = owner.client.session
    other = make_person("Vera").user
    # As if somebody else had signed in with the same session.
    session["_auth_user_id"] = str(other.pk)
    session["_auth_user_hash"] = other.get_session_auth_hash()
    states = session["socialaccount_states"]
    session.save()
    (state,) = states
    replies.answers["https://oauth2.googleapis.com/token"] = token_of(
        {
            "iss": "https://accounts.google.com", "aud": "client-of-google",
            "exp": 4_000_000_000, "sub": "1", "nonce": nonce_of(state),
        }
    )  # fmt: skip
    page = come_back(owner.client, "google", state)
    assert "not signed in as the person who started this" in title(page)
    assert not SocialAccount.objects.exists()


def test_the_last_way_in_stays(google: IdentityProvider, replies: Replies) -> None:
    policy(SignUpPolicy.OPEN)
    google_says(replies, Client(), claims={})
    account = SocialAccount.objects.get()
    with pytest.raises(Conflict, match="the only way into your account"):
        unlink_sign_in(user=account.user, account_id=account.pk)
