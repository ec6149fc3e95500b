"""Checks of settings that are not saved yet, and how a connection saved later inherits one."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.crypto import salted_hmac

from common.access import Permission
from connections import restrictions, runner
from connections.boundaries import check_place
from connections.connectors.registry import get_connector
from connections.models import Connection
from connections.services import checked_use_as, status_of, validate
from tenants.actors import Actor
from tenants.models import Organization


@dataclass(frozen=True)
class UnsavedCheck:
    """How a check of unsaved settings went; ``fingerprint`` knows these settings again."""

    stages: list[dict[str, Any]]
    fingerprint: str


def check_unsaved(
    *,
    organization: Organization,
    actor: Actor,
    connector: str,
    values: dict[str, Any],
    use_as: str,
    stored: Connection | None = None,
) -> UnsavedCheck:
    """Try what is in the form, without saving anything."""
    actor.require(Permission.EDIT, on=stored)
    kind = get_connector(connector)
    restrictions.check_offered(kind)
    config, secrets = validate(kind, values, stored=stored)
    if stored:
        check_place(stored, config, actor)
    role = checked_use_as(use_as, kind.capabilities)
    endpoint = {"connector": connector, "config": config, "secrets": secrets}
    stages = runner.check(organization, endpoint, role)
    return UnsavedCheck(stages, _fingerprint(endpoint, role))


def adopt_check(
    *, connection: Connection, stages: list[dict[str, Any]], fingerprint: str, at: datetime
) -> bool:
    """Keep an unsaved check as the connection's own, if it was made of exactly its settings."""
    if fingerprint != _fingerprint(connection.as_endpoint(), connection.use_as):
        return False
    connection.check_status = status_of(stages)
    connection.check_stages, connection.checked_at = stages, at
    connection.save(update_fields=["check_status", "check_stages", "checked_at"])
    return True


def _fingerprint(endpoint: dict[str, Any], use_as: str) -> str:
    # Keyed, so that whoever reads it cannot try passwords against it.
    text = json.dumps([endpoint, str(use_as)], sort_keys=True, default=str)
    return salted_hmac("connections.check", text, algorithm="sha256").hexdigest()
