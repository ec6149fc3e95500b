"""Owners who go at the same moment, on PostgreSQL: one of them stays."""

import json
from pathlib import Path

import pytest

from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.chaos

ROUNDS = 25

#: Two threads, each with its own connection, meet and then do it at once.
GO = f"""
import json
from collections import Counter
from threading import Barrier, Thread
from django.db import connection
from common.access import Role
from tenants import services
from tenants.actors import Actor
from tenants.errors import LastOwner
from tenants.models import Membership, Organization

olga = services.create_user(email="olga@example.com", name="Olga", password="correct horse battery")
otto = services.create_user(email="otto@example.com", name="Otto", password="correct horse battery")

def leave(membership, actor):
    services.leave(organization=membership.organization, actor=actor)

def step_down(membership, actor):
    services.change_role(membership=membership, role=Role.VIEWER, actor=actor)

def hand_over(membership, actor):
    other = Membership.all_organizations.exclude(pk=membership.pk).get(
        organization=membership.organization
    )
    services.hand_over(organization=membership.organization, membership=other, actor=actor)

outcomes, owners = Counter(), Counter()
pairs = [(leave, leave), (step_down, step_down), (leave, step_down), (hand_over, leave)]
for number in range({ROUNDS}):
    for pair in pairs:
        organization = services.create_organization(name=f"Acme {{number}}", owner=olga)
        services.add_member(
            organization=organization, user=otto, role=Role.OWNER, actor=Actor.operator()
        )
        barrier = Barrier(2)
        rows = Membership.all_organizations.select_related("user", "organization")
        ends = zip(pair, rows.filter(organization=organization).order_by("user__name"), strict=True)

        def go(what, membership):
            actor = Actor.member(membership)
            try:
                barrier.wait(10)
                what(membership, actor)
                outcomes["done"] += 1
            except Exception as error:
                outcomes[type(error).__name__] += 1
            finally:
                connection.close()

        threads = [Thread(target=go, args=end) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = Membership.all_organizations.filter(organization=organization, role=Role.OWNER)
        owners[left.count()] += 1
print(json.dumps([outcomes, owners]))
"""


def test_of_two_owners_who_go_at_once_one_stays(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    made = Installation.distributed(tmp_path / "data", postgres_url, redis_url)
    made.manage("migrate", "--verbosity", "0")
    outcomes, owners = json.loads(made.python(GO).splitlines()[-1])
    assert owners == {"1": ROUNDS * 4}
    # Whoever came second was told why; nothing ended in an error of the database.
    assert set(outcomes) <= {"done", "LastOwner", "PermissionDenied", "UserError"}
    assert outcomes["LastOwner"] >= ROUNDS
