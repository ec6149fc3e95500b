"""The chain and its verification once more, on PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datanika_site.tests.installation import Installation

HERE = Path(__file__).parent
FILES = (
    "test_digests.py", "test_chain.py", "test_verification.py", "test_exports.py", "test_refusals.py",
    "test_events.py",
)  # fmt: skip


@pytest.mark.chaos
def test_on_postgresql(postgres_url: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", *(str(HERE / file) for file in FILES)]
    done = subprocess.run(
        command,
        env=os.environ | {"DATABASE_URL": postgres_url},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr


#: Requests within their organization, retention, and the removal of an organization, by a role that policies bind.
LIFE = """
import json
from datetime import timedelta
from django.utils import timezone
from audit import services as audit
from audit.actions import AuditAction
from audit.models import AuditChain, AuditEvent, AuditLink
from audit.tests.factories import add
from common import scope
from orchestration import retention
from tenants import services
from tenants.actors import Actor
from tenants.models import Organization, User

now, actor, told = timezone.now(), Actor.operator(), {}
for number in range(40):
    add(None, now - timedelta(days=100 - number))
acme = services.set_up(
    email="olga@example.com", name="Olga", password="correct horse battery", organization_name="Acme"
)
beta = services.create_organization(name="Beta", owner=User.objects.get())
with scope.within(acme.pk):
    add(acme, now)
    # Of nobody's organization, from a request of one.
    audit.record(organization=None, actor=actor, action=AuditAction.SIGN_IN_FAILED)
    told["seen"] = [AuditEvent.all_organizations.count(), AuditChain.objects.count()]
for number in range(40):
    add(beta, now)
services.update_platform(actor=actor, audit_retention_days=80)
told["pruned"] = retention.prune(now).as_json()["items"]["audit_events"]
Organization.objects.filter(pk=beta.pk).update(
    deletion_requested_at=now, delete_after=now, deletion_requested_by="Olga"
)
told["errors"] = retention.prune(now).errors
told["left"] = [
    AuditEvent.all_organizations.filter(organization=beta.pk).count(),
    AuditLink.objects.filter(chain_id=beta.pk).count(),
    AuditChain.objects.filter(pk=beta.pk).count(),
    Organization.objects.filter(pk=beta.pk).count(),
]
print(json.dumps(told))
"""


@pytest.mark.chaos
def test_with_row_level_security(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    site = Installation.distributed(tmp_path / "data", postgres_url, redis_url)
    site.manage("migrate", "--verbosity", "0")
    told = json.loads(site.python(LIFE).splitlines()[-1])
    # Its own two events, and the heads of three chains, which tell of nobody's events.
    assert told["seen"] == [2, 3]
    assert told["pruned"] == 20
    assert told["errors"] == []
    assert told["left"] == [0, 0, 0, 0]
    done = site.manage("verify_audit")
    assert done.stdout.endswith("Everything is as it was written.\n")
