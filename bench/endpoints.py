"""Endpoints of a spec from what a local server or file is, with the connector's own defaults for the rest."""

from collections.abc import Sequence
from typing import Any

import pytest

from connections.connectors.registry import all_connectors
from scripts.services import Server

#: A local server of a test speaks without encryption; connectors name that choice in their own way.
_UNENCRYPTED = ("disable", "disabled", "off", "none", "prefer", "preferred")
_ENCRYPTION_FIELDS = {"sslmode", "ssl_mode", "tls", "ssl", "encryption"}


def endpoint(
    connector: str, values: dict[str, Any], secrets: dict[str, str] | None = None
) -> dict[str, Any]:
    """``values`` over the initial values of the connector's form."""
    config: dict[str, Any] = {}
    for name, field in all_connectors()[connector].form_class.base_fields.items():
        if name == "password":
            continue
        config[name] = field.initial if field.initial is not None else ""
        if name in _ENCRYPTION_FIELDS:
            offered = {str(value) for value, _ in getattr(field, "choices", ())}
            config[name] = next((one for one in _UNENCRYPTED if one in offered), config[name])
    return {"connector": connector, "config": config | values, "secrets": secrets or {}}


def server_endpoint(connector: str, server: Server, database: str) -> dict[str, Any]:
    values = {
        "host": server.host,
        "port": server.port,
        "database": database,
        "user": "datanika",
    }
    return endpoint(connector, values, {"password": server.password})


def connector_named(keys: Sequence[str], *, destination: bool = False) -> str:
    """The first of the keys that this version can read from, or load into; empty when there is none."""
    known = all_connectors()
    for key in keys:
        if key not in known:
            continue
        can = known[key].capabilities
        if can.destination if destination else can.source:
            return key
    return ""


def need(label: str, keys: Sequence[str], *, destination: bool = False) -> None:
    """Skip the benchmark whose connector this version does not have."""
    if not connector_named(keys, destination=destination):
        what = "a destination" if destination else "a source"
        pytest.skip(f"{label} is not {what} in this version.")
