"""A person's sign-in for programs: access and refresh tokens."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.hashers import get_hasher
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from common.access import Role
from common.crypto import signing_key
from conftest_site import PASSWORD, Person
from tenants import services
from tenants.actors import Actor
from tenants.errors import TokenRefused
from tenants.models import Organization, TokenFamily
from tenants.services import tokens

MEMBERS = "/api/v1/organizations/acme/members/"


@pytest.fixture(autouse=True)
def _fresh_limits() -> Iterator[None]:
    """Rate limits count in the cache, which outlives a test."""
    cache.clear()
    yield
    cache.clear()


def post(path: str, **data: Any) -> Any:
    return Client().post(f"/api/v1/auth/{path}/", json.dumps(data), content_type="application/json")


def sign_in(email: str = "olga@example.com", **more: Any) -> Any:
    data = {"email": email, "password": PASSWORD, "organization": "acme"} | more
    return post("token", **data)


def bearer(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"})


def works(access: str) -> bool:
    answer = bearer(access).get(MEMBERS)
    assert answer.status_code in (200, 401)
    if answer.status_code == 401:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Datanika"'
    return answer.status_code == 200


def actions(organization: Organization) -> list[str]:
    rows = AuditEvent.objects.for_organization(organization)
    return [row.action for row in rows.order_by("pk") if row.action.startswith("token.")]


def test_tokens_act_as_the_person_in_one_organization(
    organization: Organization, owner: Person
) -> None:
    services.create_organization(name="Second", owner=owner.user)
    made = sign_in()
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    assert made.json()["expires_in"] == 900
    client = bearer(made.json()["access"])
    assert client.get(MEMBERS).status_code == 200
    assert client.get("/api/v1/organizations/second/members/").status_code == 404
    assert [row["slug"] for row in client.get("/api/v1/organizations/").json()] == ["acme"]
    claims = jwt.decode(made.json()["access"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert PASSWORD not in str(claims)
    refresh = jwt.decode(made.json()["refresh"], options={"verify_signature": False})
    assert refresh["exp"] - refresh["iat"] == 7 * 24 * 3600
    assert actions(organization) == ["token.issued"]


def test_unknown_and_known_get_one_answer(
    organization: Organization, owner: Person, stranger: Person
) -> None:
    answers = [
        sign_in("nobody@example.com"),
        sign_in(password="wrong"),
        sign_in(organization="no-such"),
        sign_in("sam@example.com"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "sign_in_refused"
    owner.user.is_active = False
    owner.user.save()
    assert sign_in().content == answers[0].content


def test_hole_13_unknown_addresses_cost_the_same_hashing_and_guessing_is_locked_out(
    organization: Organization, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        hashed.append("once")
        return encode(self, *args, **options)

    monkeypatch.setattr(hasher, "encode", counted)
    sign_in(password="wrong")
    known = len(hashed)
    sign_in("nobody@example.com")
    assert known == len(hashed) - known == 1
    for _attempt in range(4):
        assert sign_in(password="wrong").status_code == 401
    locked = sign_in()
    assert locked.status_code == 429, "even with the right password"
    assert int(locked.headers["Retry-After"]) > 60


def test_the_refresh_door_is_limited(db: None) -> None:
    answers = [post("refresh", refresh="x") for _attempt in range(61)]
    assert [answer.status_code for answer in answers[58:]] == [401, 401, 429]
    assert answers[-1].headers["Retry-After"]
    assert post("revoke", refresh="x").status_code == 429


def test_refreshing_rotates_and_reuse_ends_the_family(
    organization: Organization, owner: Person
) -> None:
    first = sign_in().json()
    second = post("refresh", refresh=first["refresh"])
    assert second.status_code == 200
    assert second.json()["refresh"] != first["refresh"]
    assert works(second.json()["access"])
    stolen = post("refresh", refresh=first["refresh"])
    assert (stolen.status_code, stolen.json()["code"]) == (401, "token_invalid")
    assert not works(first["access"])
    assert not works(second.json()["access"])
    assert post("refresh", refresh=second.json()["refresh"]).status_code == 401
    assert actions(organization) == ["token.issued", "token.reused"]


def test_revoking_ends_access_as_well(organization: Organization, owner: Person) -> None:
    made = sign_in().json()
    assert post("revoke", refresh=made["access"]).status_code == 204
    assert works(made["access"]), "an access token revokes nothing"
    assert post("revoke", refresh=made["refresh"]).status_code == 204
    assert not works(made["access"])
    assert post("refresh", refresh=made["refresh"]).status_code == 401
    assert actions(organization) == ["token.issued", "token.revoked"]


def test_what_is_not_ours_is_refused(organization: Organization, owner: Person) -> None:
    made = sign_in().json()
    claims = jwt.decode(made["access"], options={"verify_signature": False})
    key = signing_key("api tokens")
    past = {**claims, "exp": int(time.time()) - 1}
    bad = [
        "x",
        "a.b.c",
        "é" * 3000,
        made["refresh"],
        made["access"][:-4] + "AAAA",
        jwt.encode(claims, b"k" * 32, algorithm="HS256"),
        jwt.encode(claims, signing_key("something else"), algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(past, key, algorithm="HS256"),
        jwt.encode({**claims, "aud": "other"}, key, algorithm="HS256"),
        jwt.encode({**claims, "iss": "other"}, key, algorithm="HS256"),
        jwt.encode({**claims, "org": str(organization.pk + 1)}, key, algorithm="HS256"),
        jwt.encode({k: v for k, v in claims.items() if k != "exp"}, key, algorithm="HS256"),
    ]
    for text in bad:
        with pytest.raises(TokenRefused):
            tokens.read_access_token(text)
    assert not works(bad[5])
    assert works(jwt.encode(claims, key, algorithm="HS256")), "the forger here knows the key"


def test_tokens_end_with_membership_activity_and_password(
    organization: Organization, owner: Person, admin: Person, viewer: Person
) -> None:
    left = sign_in("viktor@example.com").json()
    assert viewer.membership is not None
    services.remove_member(membership=viewer.membership, actor=owner.actor)
    assert not works(left["access"])
    assert post("refresh", refresh=left["refresh"]).status_code == 401
    resting = sign_in("adam@example.com").json()
    admin.user.is_active = False
    admin.user.save()
    assert not works(resting["access"])
    assert post("refresh", refresh=resting["refresh"]).status_code == 401
    changed = sign_in().json()
    owner.user.set_password("another horse entirely")
    owner.user.save()
    assert not works(changed["access"])
    assert post("refresh", refresh=changed["refresh"]).status_code == 401


def test_the_role_is_that_of_the_moment(
    organization: Organization, owner: Person, admin: Person
) -> None:
    access = sign_in("adam@example.com").json()["access"]
    assert bearer(access).get("/api/v1/organizations/acme/audit-events/").status_code == 200
    assert admin.membership is not None
    services.change_role(membership=admin.membership, role=Role.VIEWER, actor=Actor.operator())
    assert bearer(access).get("/api/v1/organizations/acme/audit-events/").status_code == 403


def test_a_second_factor_is_demanded(organization: Organization, owner: Person) -> None:
    secret = "JBSWY3DPEHPK3PXP"
    TOTP.activate(owner.user, secret)
    RecoveryCodes.activate(owner.user)
    asked = sign_in()
    assert (asked.status_code, asked.json()["code"]) == (401, "mfa_required")
    assert sign_in(code="nonsense").json()["code"] == "mfa_wrong"
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    assert sign_in(code=code).status_code == 200
    assert sign_in(code=code).json()["code"] == "mfa_wrong", "a code works once"
    row = Authenticator.objects.get(user=owner.user, type="recovery_codes")
    spare = RecoveryCodes(row).get_unused_codes()[0]
    assert sign_in(code=spare).status_code == 200
    for _attempt in range(5):
        sign_in(code="nonsense")
    assert sign_in(code="nonsense").status_code == 429


def test_people_see_and_end_their_own_sign_ins(
    organization: Organization, owner: Person, admin: Person
) -> None:
    first, second = sign_in().json(), sign_in().json()
    others = sign_in("adam@example.com").json()
    client = bearer(first["access"])
    rows = client.get("/api/v1/auth/sessions/").json()
    assert [row["is_this_one"] for row in rows] == [False, True]
    theirs = TokenFamily.all_organizations.get(membership__user=admin.user)
    assert client.delete(f"/api/v1/auth/sessions/{theirs.pk}/").status_code == 404
    assert client.delete(f"/api/v1/auth/sessions/{rows[0]['id']}/").status_code == 204
    assert not works(second["access"])
    assert works(others["access"])
    assert len(owner.client.get("/api/v1/auth/sessions/").json()) == 1
    assert Client().get("/api/v1/auth/sessions/").status_code == 401
    _key, text = services.issue_api_key(
        organization=organization, name="k", role=Role.OWNER, actor=owner.actor
    )
    assert bearer(text).get("/api/v1/auth/sessions/").status_code == 403


def test_expired_families_go_with_the_next_sign_in(
    organization: Organization, owner: Person
) -> None:
    sign_in()
    rows = TokenFamily.objects.for_organization(organization)
    rows.update(expires_at=timezone.now() - timedelta(days=1))
    sign_in()
    assert rows.count() == 1


def test_a_family_does_not_outlive_its_longest_life(
    organization: Organization, owner: Person
) -> None:
    made = sign_in().json()
    rows = TokenFamily.objects.for_organization(organization)
    rows.update(created_at=timezone.now() - timedelta(days=89))
    again = post("refresh", refresh=made["refresh"])
    assert again.status_code == 200
    assert rows.get().expires_at < timezone.now() + timedelta(days=1.1)


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_wins() -> None:
    """The threads meet after both have read the row, where only the database can tell them apart."""
    user = services.create_user(email="olga@example.com", name="Olga", password=PASSWORD)
    organization = services.create_organization(name="Acme", owner=user)
    membership = user.memberships(manager="all_organizations").get()
    made = tokens.issue_tokens(membership=membership, caller=tokens.Caller())
    barrier = threading.Barrier(2, timeout=10)
    results: list[str] = []
    read = tokens._live_family

    def read_then_meet(claims: dict[str, Any]) -> TokenFamily | None:
        family = read(claims)
        barrier.wait()
        return family

    def refresh() -> None:
        try:
            tokens.refresh_tokens(text=made.refresh, caller=tokens.Caller())
            results.append("won")
        except TokenRefused:
            results.append("reuse")
        finally:
            connection.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_live_family", read_then_meet)
        threads = [threading.Thread(target=refresh) for _number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(results) == ["reuse", "won"]
    assert actions(organization) == ["token.issued", "token.reused"]
