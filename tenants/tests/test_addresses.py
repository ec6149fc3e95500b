"""A person's own address: proving it, changing it, and what proves nothing."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.access import Role
from common.errors import Conflict
from conftest_site import PASSWORD, Person, make_person
from tenants import proofs, services
from tenants.models import Organization, User
from tenants.services import addresses, sign_ins
from tenants.tests.conftest import Post
from tenants.tests.provider_replies import make

PAGE = "/accounts/email/"
NEW = "olga.berg@example.com"
WANTED = {"email": NEW, "password": PASSWORD}


def logged(organization: Organization, action: AuditAction) -> list[Any]:
    rows = AuditEvent.objects.for_organization(organization).filter(action=action)
    return list(rows.values_list("actor_label", "changes"))


def test_a_new_address_counts_once_it_is_proven(
    organization: Organization, owner: Person, post: Post
) -> None:
    assert PAGE in owner.client.get(reverse("tenants:account")).content.decode()
    wrong = owner.client.post(PAGE, {**WANTED, "password": "not it at all"})
    assert wrong.status_code == 422
    assert "This is not your current password." in wrong.content.decode()
    assert post.asked == []
    assert "Until then you sign in" in owner.client.post(PAGE, WANTED).content.decode()
    link = post.link()
    assert owner.client.get(link).status_code == 200
    owner.user.refresh_from_db()
    assert owner.user.email == "olga@example.com", "opening the link changes nothing"
    assert owner.client.post(link).headers["Location"] == reverse("tenants:account")
    owner.user.refresh_from_db()
    assert owner.user.email == NEW
    assert addresses.is_verified(owner.user)
    (told,) = post.deliver()
    assert told.to == ["olga@example.com"]
    assert NEW in str(told.body)
    changes = {"email": ["olga@example.com", NEW]}
    assert logged(organization, AuditAction.EMAIL_CHANGED) == [("Olga", changes)]
    assert owner.client.get(reverse("tenants:account")).status_code == 200, "still signed in"
    assert owner.client.get(link).status_code == 404, "once"
    for email, status in (("olga@example.com", 422), (NEW, 302)):
        data = {"login": email, "password": PASSWORD}
        assert Client().post("/accounts/login/", data).status_code == status


def test_only_the_account_that_asked_is_changed(
    owner: Person, stranger: Person, post: Post
) -> None:
    """Whoever reads the mail of the new address gets neither the account nor its address."""
    owner.client.post(PAGE, WANTED)
    link = post.link()
    assert Client().post(link).headers["Location"].startswith("/accounts/login/?next=")
    other = stranger.client.post(link)
    assert other.status_code == 403
    assert "This link is for another account" in other.content.decode()
    assert not User.objects.filter(email=NEW).exists()


def test_an_address_that_is_taken_is_told_to_its_owner_only(
    owner: Person, stranger: Person, post: Post
) -> None:
    pages = [
        owner.client.post(PAGE, {**WANTED, "email": email})
        for email in ("sam@example.com", "free@example.com")
    ]
    texts = {
        re.sub("(sam|free)@example.com", "", page.content.decode()).split("csrfmiddlewaretoken")[0]
        for page in pages
    }
    assert len(texts) == 1
    assert [(m.to[0], m.subject) for m in post.deliver()] == [
        ("sam@example.com", "You have an account at Datanika already"),
        ("free@example.com", "Confirm your new e-mail address for Datanika"),
    ]


def test_an_address_taken_meanwhile_is_refused(owner: Person, stranger: Person) -> None:
    with pytest.raises(Conflict, match="Another account has this address"):
        addresses.change_email(user=owner.user, email="SAM@example.com")
    owner.user.refresh_from_db()
    assert owner.user.email == "olga@example.com"


def test_the_link_dies_with_the_password(owner: Person, post: Post) -> None:
    owner.client.post(PAGE, WANTED)
    link = post.link()
    owner.user.set_password("changed in the meantime")
    owner.user.save()
    owner.client.force_login(
        owner.user, backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    assert owner.client.post(link).status_code == 404


@pytest.mark.parametrize("kind", ["email", "verify"])
@pytest.mark.parametrize("token", ["x", "a:b:c", "é:ü:ö", "x" * 2000])
def test_made_up_links_are_dead(owner: Person, kind: str, token: str) -> None:
    assert owner.client.get(f"/accounts/{kind}/{token}/").status_code == 404


def test_a_link_is_good_for_its_own_purpose_only(owner: Person) -> None:
    token = proofs.change_token(owner.user, NEW)
    assert owner.client.get(f"/accounts/verify/{token}/").status_code == 404
    token = proofs.verification_token(owner.user)
    assert owner.client.get(f"/accounts/email/{token}/").status_code == 404


def test_an_old_link_is_dead(owner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    token = proofs.verification_token(owner.user)
    assert proofs.read_verification(token) == owner.user
    monkeypatch.setattr("time.time", lambda: 1_000_000.0 + proofs.LIFE + 1)
    with pytest.raises(proofs.LinkDead):
        proofs.read_verification(token)


def test_who_was_not_asked_for_a_proof_can_give_one(
    organization: Organization, owner: Person, post: Post
) -> None:
    account = reverse("tenants:account")
    assert "Confirm address" in owner.client.get(account).content.decode()
    assert owner.client.post("/accounts/verify/again/").headers["Location"] == account
    link = post.link()
    assert owner.client.post(link).headers["Location"] == account
    assert addresses.is_verified(owner.user)
    assert "Confirm address" not in owner.client.get(account).content.decode()
    assert logged(organization, AuditAction.EMAIL_VERIFIED) == [("Olga", {})]


def test_asking_for_a_reset_makes_nobody_prove_anything(owner: Person, post: Post) -> None:
    """Anybody may ask for it; it must not lock out people who were let in without a proof."""
    Client().post("/accounts/password/reset/", {"email": "olga@example.com"})
    post.deliver()
    assert not EmailAddress.objects.exists()
    data = {"login": "olga@example.com", "password": PASSWORD}
    assert Client().post("/accounts/login/", data).headers["Location"] == "/"


def test_only_the_mailed_link_of_an_invitation_proves_the_address(
    organization: Organization, owner: Person, post: Post
) -> None:
    """Whoever invites sees the link; else they could make a proven account for any address in the world."""
    owner.client.post(
        reverse("tenants:member-invite", args=[organization.slug]),
        {"emails": "ina@example.com ivo@example.com", "role": "viewer", "days": "7"},
    )
    mailed = {
        message.to[0]: re.findall(r"http://testserver(\S+)", str(message.body))[0]
        for message in mail.outbox
    }
    shown = mailed["ivo@example.com"].partition("?")[0]
    for path, email, proven in (
        (mailed["ina@example.com"], "ina@example.com", True),
        (shown, "ivo@example.com", False),
    ):
        client = Client()
        assert client.get(path).status_code == 200
        done = client.post(path, {"name": "New", "password": PASSWORD})
        assert done.status_code == 302, done.content.decode()
        user = User.objects.get(email=email)
        assert addresses.is_verified(user) is proven
        assert not addresses.must_verify(user), "they may sign in either way"
        # An account at a provider with this address is linked to the proven one only.
    identity = sign_ins.Identity(make("google"), "7", "ivo@example.com")
    with pytest.raises(sign_ins.ProviderSignInRefused, match="never verified"):
        sign_ins.sign_in_with(identity=identity)


def test_an_account_begun_by_somebody_else_does_not_keep_the_invited_out(
    organization: Organization, owner: Person
) -> None:
    user = User.objects.create_user("ina@example.com", "the phrase of an attacker", name="Mallory")
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)
    invitation, token = services.invite(
        organization=organization, email=user.email, role=Role.VIEWER, actor=owner.actor
    )
    path = reverse("tenants:invitation-accept", args=[token])
    data = {"name": "Ina", "password": PASSWORD}
    for proof in ("", "?proof=", "?proof=wrong"):
        assert "has an account" in Client().post(path + proof, data).content.decode()
    done = Client().post(f"{path}?proof={proofs.invitation_proof(invitation)}", data)
    assert done.status_code == 302
    user.refresh_from_db()
    assert (user.name, user.check_password(PASSWORD)) == ("Ina", True)
    assert addresses.is_verified(user)


def test_a_secondary_address_of_a_provider_gets_no_link(post: Post, owner: Person) -> None:
    """A reset goes to the person's own address, because using its link counts as a proof of that one."""
    EmailAddress.objects.create(user=owner.user, email="private@example.com", verified=True)
    Client().post("/accounts/password/reset/", {"email": "private@example.com"})
    (message,) = post.deliver()
    assert message.to == ["olga@example.com"]


def test_a_person_without_password_changes_the_address_without_one(
    owner: Person, post: Post
) -> None:
    owner.user.set_unusable_password()
    owner.user.save()
    owner.client.force_login(
        owner.user, backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    assert 'name="password"' not in owner.client.get(PAGE).content.decode()
    owner.client.post(PAGE, {"email": NEW})
    owner.client.post(post.link())
    assert User.objects.filter(email=NEW).exists()


def test_every_organization_is_told(owner: Person, organization: Organization) -> None:
    second = services.create_organization(name="Second", owner=owner.user)
    addresses.change_email(user=owner.user, email=NEW, ip="10.0.0.1")
    for place in (organization, second):
        assert len(logged(place, AuditAction.EMAIL_CHANGED)) == 1
    alone = make_person("Lone")
    addresses.change_email(user=alone.user, email="lone.wolf@example.com", ip="10.0.0.1")
    nowhere = AuditEvent.all_organizations.get(
        organization=None, action=AuditAction.EMAIL_CHANGED, target_id=str(alone.user.pk)
    )
    assert (nowhere.actor_kind, nowhere.actor_label, nowhere.ip) == ("user", "Lone", "10.0.0.1")
