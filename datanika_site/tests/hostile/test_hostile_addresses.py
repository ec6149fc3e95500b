"""Addresses of an attacker: when a connection is saved, and when it is dialled."""

from typing import Any

import pytest
from django.conf import settings as django_settings

from common.errors import UserError
from conftest_site import Person
from connections import outgoing, policy, restrictions, runner
from connections.errors import InvalidConfiguration
from connections.models import Connection
from connections.tests.helpers import UNREACHABLE, make
from tenants import services
from tenants.actors import Actor
from tenants.models import Organization

pytestmark = pytest.mark.django_db

#: 169.254.169.254 and its like, as resolvers understand them.
SPELLINGS = (
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "①⑥⑨.②⑤④.①⑥⑨.②⑤④",
    "169。254。169。254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:a00:1:0:0:5601:5601",  # Teredo: the last four bytes inverted
    "fd00:ec2::254",
    "fd00:ec2::254%eth0",
    "fe80::a9fe:a9fe",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",  # noqa: S104
    "::",
)


@pytest.mark.parametrize("host", SPELLINGS)
def test_a_metadata_address_is_refused_when_it_is_saved(
    host: str, organization: Organization, editor: Person
) -> None:
    for field in ("host", "ssh_host"):
        values = {**UNREACHABLE, "password": "x", field: host}
        if field == "ssh_host":
            values |= {"use_tunnel": True, "ssh_user": "me", "ssh_password": "x"}
        with pytest.raises(InvalidConfiguration) as refused:
            make(organization, editor, "Evil", **values)
        (words,) = refused.value.errors[field]
        assert "Use the host of" in words
    assert not Connection.objects.for_organization(organization).exists()
    with pytest.raises(UserError):
        outgoing.parse(f"http://[{host}]/" if ":" in host else f"http://{host}/")


@pytest.mark.parametrize("host", [one for one in SPELLINGS if "metadata" not in one.lower()])
@pytest.mark.parametrize("egress", [policy.PRIVATE_ALLOWED, policy.PUBLIC_ONLY])
def test_no_spelling_is_dialled(host: str, egress: str) -> None:
    with pytest.raises(UserError):
        policy.resolve_addresses(host, 80, egress=egress)


def test_a_name_that_changes_its_address_is_asked_once_and_the_judged_address_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter(["93.184.216.34", "169.254.169.254"])

    # The resolver is at the edge of the network: it cannot be had with an address that changes.
    def lookup(*arguments: Any, **options: Any) -> list[Any]:
        return [(2, 1, 6, "", (next(answers), 80))]

    monkeypatch.setattr("socket.getaddrinfo", lookup)
    dialled: list[Any] = []

    def dial(address: Any, **options: Any) -> Any:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", dial)
    with pytest.raises(outgoing.Unreachable):
        outgoing.ask("GET", "http://rebind.example.com/", headers={})
    assert dialled == [("93.184.216.34", 80)]
    with pytest.raises(UserError):
        outgoing.ask("GET", "http://rebind.example.com/", headers={})
    assert len(dialled) == 1


def test_what_operators_save_goes_before_the_environment(
    organization: Organization, settings: Any, tmp_path: Any
) -> None:
    settings.EGRESS_POLICY = policy.PRIVATE_ALLOWED
    settings.ALLOWED_FILE_ROOTS = ["/from/environment"]
    assert runner.policy(organization)["egress"] == policy.PRIVATE_ALLOWED
    assert restrictions.file_roots() == ("/from/environment",)
    operator = Actor.operator()
    shared = str(tmp_path / "shared")
    services.update_platform(
        actor=operator, egress_policy=policy.PUBLIC_ONLY, allowed_file_roots=[shared]
    )
    said = runner.policy(organization)
    assert (said["egress"], said["allowed_roots"]) == (policy.PUBLIC_ONLY, [shared])
    assert runner.box("x", writable=()).readable == (shared,)
    with pytest.raises(UserError, match="only public"):
        outgoing.ask("GET", "http://127.0.0.1:9/", headers={})
    services.update_platform(actor=operator, egress_policy="", allowed_file_roots=None)
    assert restrictions.egress() == policy.PRIVATE_ALLOWED
    services.update_platform(actor=operator, allowed_file_roots=[])
    assert restrictions.file_roots() == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("egress_policy", "anything"),
        ("allowed_file_roots", ["relative"]),
        ("allowed_file_roots", ["/"]),
        ("allowed_file_roots", ["/proc/self"]),
        ("allowed_file_roots", ["/data/../etc"]),
        ("allowed_file_roots", "/text"),
        ("allowed_file_roots", [1]),
        ("allowed_file_roots", None),
    ],
)
def test_what_operators_may_not_save(name: str, value: Any, db: None) -> None:
    if value is None:
        value = [str(django_settings.DATA_DIR)]
    with pytest.raises(UserError) as refused:
        services.update_platform(actor=Actor.operator(), **{name: value})
    assert refused.value.field == name
    assert refused.value.remedy
