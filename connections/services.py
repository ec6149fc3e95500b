"""Every change to connections and to the organization's files."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import NotFound, UserError
from common.scoping import unique_slug
from connections import restrictions, runner
from connections.boundaries import check_place
from connections.connectors.base import Capabilities, Connector
from connections.connectors.registry import get_connector
from connections.errors import ConnectionInTrash, ConnectionInUse, FileRefused, InvalidConfiguration
from connections.models import CheckStatus, Connection, UseAs
from connections.sniffing import check_content

# The door of this app has them too.
from connections.tables import declare_tables as declare_tables
from connections.tables import record_loaded_table as record_loaded_table
from tenants.actors import Actor
from tenants.models import Organization

_FILE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9 ._()+@-]{0,199}$")
UPLOADS = "uploads"
#: The settings that say which machine a secret is sent to.
_SERVER_KEYS = ("host", "port", "account")
#: And, where there is a tunnel, through which machine.
_TUNNEL_KEYS = ("use_tunnel", "ssh_host", "ssh_port", "ssh_user", "ssh_host_key")
#: First segments of pages that stand where a connection's page would.
RESERVED_SLUGS = frozenset({"new", "files"})


def validate(
    connector: Connector, values: dict[str, Any], stored: Connection | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split validated form values into ``(config, secrets)``; raise ``InvalidConfiguration``.

    A secret left empty keeps the stored one, as long as the server stays the same: nobody may have a
    stored secret sent to a server of their choice. Keys the form does not know are refused.
    """
    kept = stored.secrets if stored else {}
    known = set(connector.form_class.base_fields)
    if unknown := set(values) - known:
        name = min(unknown)
        raise InvalidConfiguration({name: [f"{connector.label} has no setting {name!r}."]})
    form = connector.form_class(data=_as_form_data(values))
    for name in connector.form_class.secret_fields:
        if kept.get(name):
            form.fields[name].required = False
    if not form.is_valid():
        found = form.errors.as_data()
        raise InvalidConfiguration(
            {f: [str(e) for e in errors] for f, errors in form.errors.items()},
            {f: str(errors[0].code) for f, errors in found.items() if errors[0].code},
        )
    config = {k: v for k, v in form.cleaned_data.items() if k not in form.secret_fields}
    given = {k: form.cleaned_data[k] for k in form.secret_fields if form.cleaned_data.get(k)}
    if not config.get("use_tunnel"):
        # Without its tunnel a connection keeps no keys to it.
        kept = {key: value for key, value in kept.items() if not key.startswith("ssh_")}
        given = {key: value for key, value in given.items() if not key.startswith("ssh_")}
    if stored and _moved(stored.config, config) and (missing := sorted(kept.keys() - given.keys())):
        raise InvalidConfiguration({missing[0]: ["The server has changed: enter this again."]})
    return config, {**kept, **given}


@transaction.atomic
def create_connection(
    *,
    organization: Organization,
    actor: Actor,
    name: str,
    connector: str,
    values: dict[str, Any],
    use_as: str = "",
) -> Connection:
    """A new connection. Works without a check: a system may be down while it is described."""
    actor.require(Permission.EDIT)
    kind = get_connector(connector)
    restrictions.check_offered(kind)
    config, secrets = validate(kind, values)
    connection = Connection(
        organization=organization,
        name=_name(name),
        slug=_slug(organization, name, fallback=connector),
        connector=connector,
        use_as=checked_use_as(use_as, kind.capabilities),
        config=config,
        secrets=secrets,
    )
    connection.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.CONNECTION_CREATED,
        target=connection,
        changes=audit.difference({}, {**config, **secrets}, secret=kind.form_class.secret_fields),
    )
    return connection


@transaction.atomic
def update_connection(
    *, connection: Connection, actor: Actor, name: str, values: dict[str, Any], use_as: str = ""
) -> Connection:
    """Change name and settings; the last check no longer speaks for the new ones."""
    actor.require(Permission.EDIT, on=connection)
    kind = connection.type
    config, secrets = validate(kind, values, stored=connection)
    check_place(connection, config, actor)
    before = {"name": connection.name, **connection.config, **connection.secrets}
    changed = (config, secrets) != (connection.config, connection.secrets)
    connection.name = _name(name)
    connection.config, connection.secrets = config, secrets
    connection.use_as = checked_use_as(use_as or connection.use_as, kind.capabilities)
    if changed:
        connection.check_status, connection.check_stages = CheckStatus.UNTESTED, []
        connection.checked_at = None
    connection.save()
    after = {"name": connection.name, **config, **secrets}
    audit.record(
        organization=connection.organization,
        actor=actor,
        action=AuditAction.CONNECTION_UPDATED,
        target=connection,
        changes=audit.difference(before, after, secret=kind.form_class.secret_fields),
    )
    _record_secrets(connection, actor, before, after)
    return connection


def _record_secrets(
    connection: Connection, actor: Actor, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Which secrets are others now, never what they are: an event that can be looked for."""
    names = sorted(connection.type.form_class.secret_fields)
    if changed := [name for name in names if before.get(name) != after.get(name)]:
        audit.record(
            organization=connection.organization,
            actor=actor,
            action=AuditAction.CONNECTION_SECRETS_CHANGED,
            target=connection,
            changes={"fields": [None, changed]},
        )


def check_connection(*, connection: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Try a saved connection and remember how it went; the stages, also when one failed."""
    actor.require(Permission.RUN, on=connection)
    stages = runner.check(connection.organization, connection.as_endpoint(), connection.use_as)
    with transaction.atomic():
        connection.check_status = status_of(stages)
        connection.check_stages, connection.checked_at = stages, timezone.now()
        connection.save(update_fields=["check_status", "check_stages", "checked_at"])
        audit.record(
            organization=connection.organization,
            actor=actor,
            action=AuditAction.CONNECTION_CHECKED,
            target=connection,
            changes={"status": [None, connection.check_status]},
        )
    return stages


def status_of(stages: Iterable[dict[str, Any]]) -> CheckStatus:
    """What a list of stages amounts to."""
    seen = {stage["status"] for stage in stages}
    if "failed" in seen or not seen:
        return CheckStatus.UNREACHABLE
    return CheckStatus.WARNING if "warn" in seen else CheckStatus.HEALTHY


@transaction.atomic
def duplicate_connection(*, connection: Connection, actor: Actor) -> Connection:
    """A copy under a new name. The secrets are copied here and pass no browser."""
    actor.require(Permission.EDIT)
    restrictions.check_offered(connection.type)
    name = f"{connection.name[:75]} copy"
    copy = Connection(
        organization=connection.organization,
        name=name,
        slug=_slug(connection.organization, name, fallback=connection.connector),
        connector=connection.connector,
        use_as=connection.use_as,
        config=connection.config,
        secrets=connection.secrets,
        max_concurrent_runs=connection.max_concurrent_runs,
    )
    copy.save()
    changes = audit.difference(
        {},
        {**copy.config, **copy.secrets, "copied_from": connection.name},
        secret=connection.type.form_class.secret_fields,
    )
    audit.record(
        organization=copy.organization,
        actor=actor,
        action=AuditAction.CONNECTION_CREATED,
        target=copy,
        changes=changes,
    )
    return copy


@transaction.atomic
def delete_connection(*, connection: Connection, actor: Actor, users: list[str]) -> None:
    """Put it in the trash. ``users`` names what still uses it; then it is refused."""
    actor.require(Permission.EDIT, on=connection)
    if users:
        raise ConnectionInUse(
            f"“{connection.name}” is used by {', '.join(users[:5])}.",
            remedy="Delete these first, or give them another connection.",
        )
    connection.put_in_trash()
    audit.record(
        organization=connection.organization,
        actor=actor,
        action=AuditAction.CONNECTION_DELETED,
        target=connection,
    )


@transaction.atomic
def restore_connection(*, connection: Connection, actor: Actor) -> Connection:
    actor.require(Permission.EDIT, on=connection)
    connection.slug = _slug(connection.organization, connection.slug, fallback=connection.connector)
    connection.deleted_at = None
    connection.save(update_fields=["deleted_at", "slug"])
    audit.record(
        organization=connection.organization,
        actor=actor,
        action=AuditAction.CONNECTION_RESTORED,
        target=connection,
    )
    return connection


def check_not_deleted(connection: Connection) -> None:
    """What hangs on a connection comes back after it."""
    if connection.is_deleted:
        raise ConnectionInTrash(
            f"Its connection “{connection}” is in the trash.", remedy="Restore that one first."
        )


def store_upload(
    *, organization: Organization, actor: Actor, name: str, content: BinaryIO | File[Any], size: int
) -> str:
    """Keep an uploaded file; its path relative to the organization's files directory.

    The file appears under its name only when it is whole: a broken upload or a full disk leaves what was there.
    """
    actor.require(Permission.EDIT)
    if not _FILE_NAME.fullmatch(name):
        raise FileRefused(
            f"The file name {name!r} has characters that are not allowed.",
            field="file",
            remedy="Use letters, digits, spaces, dots, dashes and underscores.",
        )
    if size > restrictions.max_upload_bytes():
        raise FileRefused(
            f"The file is larger than {restrictions.max_upload_mb()} MB.",
            field="file",
            remedy="Compress it (.gz), or put it into the files directory on the server.",
        )
    folder = runner.files_root(organization) / UPLOADS
    folder.mkdir(exist_ok=True)
    part = folder / f".{name}.part"
    try:
        check_content(name, content)
        with part.open("wb") as out:
            shutil.copyfileobj(content, out, 1024 * 1024)
            out.flush()
            os.fsync(out.fileno())
        part.replace(folder / name)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FileRefused(
            f"The file could not be stored: {error.strerror}.",
            field="file",
            remedy="Free some space in the data directory, then upload it again.",
        ) from None
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.FILE_UPLOADED,
        changes={"name": [None, name], "bytes": [None, size]},
    )
    return f"{UPLOADS}/{name}"


def list_files(organization: Organization) -> list[dict[str, Any]]:
    """Uploaded files by name: ``path``, ``name``, ``size`` in bytes, ``modified`` (epoch seconds)."""
    folder = runner.files_root(organization) / UPLOADS
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    return [_file(path) for path in files]


def delete_file(*, organization: Organization, actor: Actor, name: str) -> None:
    actor.require(Permission.EDIT)
    path = runner.files_root(organization) / UPLOADS / Path(name).name
    if not _FILE_NAME.fullmatch(name) or not path.is_file():
        raise NotFound(f"There is no file {name!r}.", field="file")
    path.unlink()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.FILE_DELETED,
        changes={"name": [name, None]},
    )


def _file(path: Path) -> dict[str, Any]:
    stat = path.stat()
    return {
        "path": f"{UPLOADS}/{path.name}",
        "name": path.name,
        "size": stat.st_size,
        "modified": stat.st_mtime,
    }


def _as_form_data(values: dict[str, Any]) -> dict[str, Any]:
    # A form reads an absent key as "off" and the word "False" as text that is there.
    return {key: value for key, value in values.items() if value is not None and value is not False}


def _name(name: str) -> str:
    name = name.strip()
    if not name:
        raise InvalidConfiguration({"name": ["A name is needed."]})
    if len(name) > 80:
        raise InvalidConfiguration({"name": ["The name is longer than 80 characters."]})
    return name


def _moved(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return _server_of(before) != _server_of(after)


def _server_of(config: dict[str, Any]) -> dict[str, Any]:
    keys = _SERVER_KEYS + (_TUNNEL_KEYS if config.get("use_tunnel") else ())
    return {key: config.get(key) for key in keys}


def _slug(organization: Organization, name: str, *, fallback: str) -> str:
    living = Connection.objects.for_organization(organization)
    slug = unique_slug(name, living, fallback=fallback)
    if slug in RESERVED_SLUGS:
        return unique_slug(f"{slug}-{fallback}", living, fallback=fallback)
    return slug


def checked_use_as(use_as: str, capabilities: Capabilities) -> UseAs:
    """The role, if the type can have it; for an empty one everything the type can."""
    allowed = {
        UseAs.SOURCE: capabilities.source,
        UseAs.DESTINATION: capabilities.destination,
        UseAs.BOTH: capabilities.source and capabilities.destination,
    }
    if not use_as:
        return UseAs.BOTH if allowed[UseAs.BOTH] else next(k for k, v in allowed.items() if v)
    if use_as not in UseAs.values or not allowed[UseAs(use_as)]:
        raise UserError(
            f"This type cannot be used as {use_as!r}.",
            field="use_as",
            remedy=f"Choose {' or '.join(k for k, v in allowed.items() if v)}.",
        )
    return UseAs(use_as)
