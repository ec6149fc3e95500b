"""What a digest is made of: the same from a value and from what the database gives back for it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from audit.digests import FIELDS, canonical_json, content_digest, link_digest
from audit.models import AuditEvent
from audit.tests.factories import add
from tenants.models import Organization

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "organization_id": 7,
    "at": AT,
    "actor_kind": "user",
    "actor_label": "Olga",
    "actor_id": "1",
    "action": "pipeline.updated",
    "target_type": "pipeline",
    "target_id": "12",
    "target_label": "Orders",
    "changes": {"name": ["a", "b"]},
    "ip": "2001:db8::1",
}


def test_every_column_counts() -> None:
    assert set(VALUES) == set(FIELDS)
    columns = {field.attname for field in AuditEvent._meta.concrete_fields}
    assert columns == {*FIELDS, "id", "content_digest"}
    others: dict[str, Any] = {"organization_id": None, "at": AT + timedelta(microseconds=1)}
    digests = {content_digest(VALUES)}
    for name in FIELDS:
        digests.add(content_digest(VALUES | {name: others.get(name, "x")}))
    assert len(digests) == len(FIELDS) + 1


def test_spellings_of_the_same_have_one_digest() -> None:
    same = VALUES | {
        "at": AT.astimezone(timezone(timedelta(hours=5))),
        "ip": "2001:0DB8:0:0::1",
        "changes": {"name": ("a", "b")},
    }
    assert content_digest(same) == content_digest(VALUES)
    assert canonical_json({"b": 1.0, "a": True}) == '{"a":true,"b":1}'
    assert canonical_json([1e16, 10**16, -0.0, 0.1, "1"]) == (
        '[10000000000000000,10000000000000000,0,0.1,"1"]'
    )
    # Text is quoted, so nothing that looks like a number is one.
    assert canonical_json({"a": "1"}) != canonical_json({"a": 1})


def test_links_have_fixed_digests() -> None:
    """Written down once: a change to how they are made would break every chain there is."""
    assert (
        content_digest(VALUES) == "bb96427ff4c0d15ff9449e15b7ac7a8fc4f25a208d4e03f845f4d4e0ee9bbdf3"
    )
    assert (
        link_digest("", 1, "a")
        == "978f6725b4825f2c488669f11fbe16dd8ed121ab66a3007abc2b6d73fc2479bc"
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"z": [None, 1.5], "a": [True, False], "é": ["ß", "日本", "\U0001f600"]},
        {"n": [1e100, 1e16, 5e-324, -0.0, 2**70, 1.10]},
        {"deep": [{"b": [{"a": 1, "A": []}], "1": {}}, '"\\\n\t']},
    ],
)
@pytest.mark.parametrize("ip", [None, "192.0.2.1", "::ffff:1.2.3.4", "2001:db8:0:0:1::"])
def test_what_comes_back_has_the_same_digest(
    organization: Organization, changes: dict[str, Any], ip: str | None
) -> None:
    event = add(organization, AT, changes=changes, ip=ip, target_label="‘x’ \\ \n")
    read = AuditEvent.all_organizations.get(pk=event.pk)
    values = {name: getattr(read, name) for name in FIELDS}
    assert content_digest(values) == read.content_digest == event.content_digest
