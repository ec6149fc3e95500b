"""Two full organizations, and everybody who may knock at the first one's doors.

Acme is the one to be kept apart: its slugs are all ``FOREIGN``, its numbers begin at ``FOREIGN_ID``, and whatever else
a person can read of it holds ``CANARY``. Elsewhere has the same things under ``OWN``. Nothing is called ``ABSENT``.
So any request of Elsewhere's becomes one for Acme's things, or for things that are not there, by replacing words.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import connection, models, transaction
from django.test import Client, override_settings
from django.utils import timezone

from common.access import Role
from common.crypto import signing_key
from common.scoping import OrganizationOwned
from conftest_site import PASSWORD, Person, make_person
from connections import runner
from connections.models import Connection
from datanika_site.tests.test_access import make_things
from orchestration.models import (
    Backfill,
    BackfillStatus,
    Run,
    RunLogLine,
    RunStep,
    RunStepResult,
    Status,
)
from pipelines.models import Pipeline
from tenants import services
from tenants.models import ApiKey, Membership, Organization, User
from tenants.services import tokens
from transforms.models import Transformation

#: Words of one length, and none like another, so that answers differ only in what was asked for.
FOREIGN, OWN, ABSENT = "kestrel", "lapwing", "buzzard"
FOREIGN_ID, ABSENT_ID = 900_001, 970_707
CANARY = "zeisig"

Things = dict[tuple[str, str], Any]


@dataclass(frozen=True)
class Side:
    """An organization, who owns it, and a value for each argument of its URLs."""

    organization: Organization
    owner: Person
    things: Things


@dataclass(frozen=True)
class Caller:
    """Somebody who asks. ``standing``: a member of Acme (with ``role``), known elsewhere only, or nobody."""

    name: str
    client: Client
    standing: str
    role: Role | None = None
    #: How they prove who they are: "session", "key" or "token".
    by: str = "session"
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    acme: Side
    elsewhere: Side
    operator: Person
    directory: Path
    callers: list[Caller] = field(default_factory=list)

    def restore_files(self) -> None:
        """Files are not taken back with the database."""
        for side in (self.acme, self.elsewhere):
            name = str(side.things["files", "name"])
            path = runner.files_root(side.organization) / "uploads" / name
            if not path.exists():
                path.write_bytes(b"id\n1\n")

    def caller(self, name: str) -> Caller:
        return next(caller for caller in self.callers if caller.name == name)


@contextmanager
def undone() -> Iterator[None]:
    """Whatever a request changes in the database is taken back."""
    with transaction.atomic():
        point = transaction.savepoint()
        try:
            yield
        finally:
            transaction.savepoint_rollback(point)
            cache.clear()


@contextmanager
def made_world(directory: Path) -> Iterator[World]:
    """The world, for as long as the block lasts; one transaction, taken back at its end."""
    with override_settings(DATA_DIR=directory), transaction.atomic():
        yield _make(directory)
        transaction.set_rollback(True)


def _make(directory: Path) -> World:
    user = services.create_user(email="operator@example.com", name="Op", password=PASSWORD)
    user.is_staff = user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    elsewhere = _side("Sam", "Elsewhere", OWN)
    # Rows of Acme, and no others, have numbers between these two.
    _lift_numbers(FOREIGN_ID - 1)
    acme = _side("ZeisigOlga", "Acme", FOREIGN)
    _plant(acme.organization)
    world = World(acme, elsewhere, Person(user, client), directory)
    world.callers.extend(_of_acme(world))
    _lift_numbers(1_000_000)
    world.callers.extend(_of_elsewhere(world))
    return world


def _side(name: str, title: str, mark: str) -> Side:
    person = make_person(name)
    organization = services.create_organization(name=title, owner=person.user)
    if mark == FOREIGN:
        organization.name = f"{CANARY.title()} {title}"
        organization.last_run_number = FOREIGN_ID - 1
        organization.save()
    membership = Membership.objects.for_organization(organization).get(user=person.user)
    owner = Person(person.user, person.client, membership)
    things = make_things(organization, owner, mark)
    helper = _helper(organization, owner, mark)
    for key in (("members", "pk"), ("sharing", "member"), ("grants", "member")):
        things[key] = helper.pk
    _end_runs(organization, mark)
    if mark == FOREIGN:
        rows = Backfill.objects.for_organization(organization)
        rows.filter(number=things["backfills", "number"]).update(number=FOREIGN_ID)
        things["backfills", "number"] = FOREIGN_ID
    return Side(organization, owner, things)


def _helper(organization: Organization, owner: Person, mark: str) -> Membership:
    """A viewer with whom something is shared: a member that anybody who may can change and remove."""
    name = f"{CANARY.title()}Helper" if mark == FOREIGN else "Helper"
    person = make_person(name, organization, Role.VIEWER)
    assert person.membership is not None
    for thing in (
        Pipeline.objects.for_organization(organization).get(slug=mark),
        Connection.objects.for_organization(organization).get(slug=mark),
    ):
        services.give_grant(
            on=thing, membership=person.membership, permission="run", actor=owner.actor
        )
    return person.membership


def _lift_numbers(last: int) -> None:
    """Rows made from now on have primary keys above ``last``."""
    tables = [model._meta for model in _own_models()]
    with connection.cursor() as cursor:
        for meta in tables:
            column = meta.pk.column
            if not isinstance(meta.pk, models.AutoField | models.BigAutoField):
                continue
            if connection.vendor == "postgresql":
                sequence = "SELECT setval(pg_get_serial_sequence(%s, %s), %s)"
                cursor.execute(sequence, [f'"{meta.db_table}"', column, last])
                continue
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [meta.db_table])
            row = "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)"
            cursor.execute(row, [meta.db_table, last])


def _own_models() -> list[type[models.Model]]:
    here = Path(settings.BASE_DIR)
    return [
        model
        for config in apps.get_app_configs()
        if Path(config.path).parent == here
        for model in config.get_models()
    ]


def _end_runs(organization: Organization, mark: str) -> None:
    """No step waits for a worker; what ended has lines, results and an error to show."""
    now = timezone.now()
    steps = RunStep.objects.for_organization(organization)
    steps.exclude(status=Status.FAILED).update(status=Status.SUCCEEDED, finished_at=now)
    Run.objects.for_organization(organization).update(status=Status.SUCCEEDED, finished_at=now)
    Backfill.objects.for_organization(organization).update(status=BackfillStatus.CANCELLED)
    word = f"{CANARY.title()} " if mark == FOREIGN else ""
    for run in Run.objects.for_organization(organization):
        run.last_line += 1
        run.save(update_fields=["last_line"])
        RunLogLine.all_organizations.create(
            organization=organization,
            run=run,
            number=run.last_line,
            level="info",
            text=f"{word}ends",
        )
    for step in steps:
        RunStepResult.all_organizations.create(
            organization=organization,
            step=step,
            kind="table",
            name="orders",
            status="failed",
            message=f"{word}went wrong",
        )
    steps.filter(status=Status.FAILED).update(error=f"{word}broke", error_code="invalid")


#: What is only ever shown, never looked up by; ``name`` where a slug is what a row is looked up by.
_SHOWN = ("description", "label", "title", "note")


def _plant(organization: Organization) -> None:
    """The canary's name in all that people wrote."""
    for model in _own_models():
        if not issubclass(model, OrganizationOwned) or model._meta.label == "audit.AuditEvent":
            continue
        names = {f.name for f in model._meta.concrete_fields if isinstance(f, models.CharField)}
        texts = {f.name for f in model._meta.concrete_fields if isinstance(f, models.TextField)}
        shown = (names | texts) & set(_SHOWN)
        if "name" in names and ("slug" in names or model is ApiKey):
            shown.add("name")
        if shown:
            rows = model.all_organizations.filter(organization=organization)
            for name in shown:
                value = models.functions.Concat(models.Value("Zeisig "), models.F(name))
                rows.update(**{name: value})
    rows = Transformation.objects.for_organization(organization)
    rows.update(sql="select 'Zeisig' as id")
    Organization.objects.filter(pk=organization.pk).update(suspended_reason="")


# Who asks ----------------------------------------------------------------------------------------


def _of_acme(world: World) -> Iterator[Caller]:
    """Its people and machines, those too that are it no more."""
    acme, owner = world.acme.organization, world.acme.owner
    yield Caller("owner", owner.client, "member", Role.OWNER)
    for role in (Role.ADMIN, Role.EDITOR, Role.VIEWER, Role.GUEST):
        person = make_person(f"Zeisig{role.title()}", acme, role)
        yield Caller(role.value, person.client, "member", role)
    gone = make_person("Gone", acme, Role.ADMIN)
    assert gone.membership is not None
    services.remove_member(membership=gone.membership, actor=owner.actor)
    yield Caller("former member", gone.client, "stranger")
    resting = make_person("Resting", acme, Role.ADMIN)
    User.objects.filter(pk=resting.user.pk).update(is_active=False)
    yield Caller("deactivated member", resting.client, "nobody")
    yield from _keys(world.acme)
    yield from _tokens(world.acme)


def _of_elsewhere(world: World) -> Iterator[Caller]:
    side = world.elsewhere
    yield Caller("owner of another organization", side.owner.client, "stranger")
    yield Caller("person without an organization", make_person("Nowhere").client, "stranger")
    yield Caller("operator", world.operator.client, "stranger")
    yield Caller("anonymous", Client(), "nobody")
    yield Caller("made-up key", _bearer("etf_" + "x" * 43), "nobody", by="key")
    _row, text = _key(side, Role.OWNER, "Elsewhere")
    yield Caller("key of another organization", _bearer(text), "stranger", by="key")
    assert side.owner.membership is not None
    made = tokens.issue_tokens(membership=side.owner.membership, caller=tokens.Caller())
    yield Caller("token of another organization", _bearer(made.access), "stranger", by="token")


def _bearer(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"})


def _key(side: Side, role: Role, name: str, scopes: tuple[str, ...] = ()) -> tuple[ApiKey, str]:
    return services.issue_api_key(
        organization=side.organization,
        name=name,
        role=role,
        scopes=scopes,
        actor=side.owner.actor,
        created_by=side.owner.user,
    )


def _keys(acme: Side) -> Iterator[Caller]:
    for role in (Role.ADMIN, Role.VIEWER):
        _row, text = _key(acme, role, f"Zeisig {role} key")
        yield Caller(f"{role} key", _bearer(text), "member", role, "key")
    for scopes in (("read",), ("audit", "keys")):
        _row, text = _key(acme, Role.ADMIN, f"Zeisig {scopes[0]} key", scopes)
        name = f"key for {' and '.join(scopes)} only"
        yield Caller(name, _bearer(text), "member", Role.ADMIN, "key", scopes)
    revoked, text = _key(acme, Role.ADMIN, "Zeisig revoked")
    services.revoke_api_key(key=revoked, actor=acme.owner.actor)
    yield Caller("revoked key", _bearer(text), "nobody", by="key")
    expired, text = _key(acme, Role.ADMIN, "Zeisig expired")
    past = timezone.now() - timedelta(seconds=1)
    ApiKey.all_organizations.filter(pk=expired.pk).update(expires_at=past)
    yield Caller("expired key", _bearer(text), "nobody", by="key")


def _tokens(acme: Side) -> Iterator[Caller]:
    membership = acme.owner.membership
    assert membership is not None
    made = tokens.issue_tokens(membership=membership, caller=tokens.Caller())
    yield Caller("owner's token", _bearer(made.access), "member", Role.OWNER, "token")
    yield Caller("refresh token", _bearer(made.refresh), "nobody", by="token")
    claims = jwt.decode(made.access, options={"verify_signature": False})
    late = {**claims, "exp": int(timezone.now().timestamp()) - 1}
    text = jwt.encode(late, signing_key("api tokens"), algorithm="HS256")
    yield Caller("expired token", _bearer(text), "nobody", by="token")
    text = jwt.encode(claims, b"k" * 32, algorithm="HS256")
    yield Caller("token signed by somebody else", _bearer(text), "nobody", by="token")
    ended = tokens.issue_tokens(membership=membership, caller=tokens.Caller())
    tokens.revoke_family(family=ended.family, actor=acme.owner.actor)
    yield Caller("revoked token", _bearer(ended.access), "nobody", by="token")
