"""The cast of the tests that need a site: two organizations and people of every role."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, TransactionTestCase

from audit import guard
from common import scope
from common.access import Role
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership, Organization, User

PASSWORD = "correct horse battery staple"  # noqa: S105


@dataclass(frozen=True)
class Person:
    """Somebody with a signed-in client; ``actor`` is None for who belongs nowhere."""

    user: User
    client: Client
    membership: Membership | None = None

    @property
    def actor(self) -> Actor:
        assert self.membership is not None
        return Actor.member(self.membership)


def make_person(name: str, organization: Organization | None = None, role: str = "") -> Person:
    """A person, a member of ``organization`` when given, signed in."""
    user = services.create_user(email=f"{name.lower()}@example.com", name=name, password=PASSWORD)
    membership = None
    if organization is not None:
        membership = services.add_member(
            organization=organization, user=user, role=Role(role), actor=Actor.operator()
        )
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return Person(user, client, membership)


@pytest.fixture(autouse=True)
def _own_data_dir(settings: Any, tmp_path: Path) -> None:
    """Organizations of different tests may have the same number; their files must not meet."""
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture(autouse=True)
def _everywhere() -> Iterator[None]:
    """An answer that a test does not read to its end leaves the test in the organization of the request."""
    yield
    scope.leave()


@pytest.fixture(autouse=True, scope="session")
def _flushed_audit_log() -> Iterator[None]:
    """After a test with transactions of its own all tables are emptied, and the audit log refuses that to others."""
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def opened(case: TransactionTestCase) -> None:
        with guard.opened():
            flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", opened)
        yield


@pytest.fixture
def owner(db: None) -> Person:
    """Olga, who owns Acme."""
    person = make_person("Olga")
    organization = services.create_organization(name="Acme", owner=person.user)
    membership = Membership.objects.for_organization(organization).get(user=person.user)
    return Person(person.user, person.client, membership)


@pytest.fixture
def organization(owner: Person) -> Organization:
    assert owner.membership is not None
    return owner.membership.organization


@pytest.fixture
def admin(organization: Organization) -> Person:
    return make_person("Adam", organization, Role.ADMIN)


@pytest.fixture
def editor(organization: Organization) -> Person:
    return make_person("Edith", organization, Role.EDITOR)


@pytest.fixture
def viewer(organization: Organization) -> Person:
    return make_person("Viktor", organization, Role.VIEWER)


@pytest.fixture
def guest(organization: Organization) -> Person:
    return make_person("Gina", organization, Role.GUEST)


@pytest.fixture
def stranger(db: None) -> Person:
    """Sam, who owns another organization."""
    person = make_person("Sam")
    other = services.create_organization(name="Elsewhere", owner=person.user)
    membership = Membership.objects.for_organization(other).get(user=person.user)
    return Person(person.user, person.client, membership)
