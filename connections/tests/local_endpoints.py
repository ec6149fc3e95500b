"""Short ways to a local connector, for the tests of several."""

from pathlib import Path
from typing import Any

from connections.connectors.base import Connector, Stage, Target
from connections.connectors.registry import get_connector


def endpoint(root: Path, key: str, path: str, **config: Any) -> tuple[Connector, Target]:
    connector = get_connector(key)
    form = connector.form_class(data={"path": path, **config})
    assert form.is_valid(), form.errors
    return connector, Target(key, form.cleaned_data, {}, root)


def check(root: Path, key: str, path: str, role: str = "source", **config: Any) -> list[Stage]:
    connector, target = endpoint(root, key, path, **config)
    return list(connector.check(target, role))


def sample(one: tuple[Connector, Target], table: str, schema: str = "", **options: Any) -> Any:
    connector, target = one
    defaults: dict[str, Any] = {"columns": None, "filters": [], "limit": 100}
    return connector.sample(target, schema=schema, table=table, **(defaults | options))


def keep(column: str, op: str, value: Any) -> list[dict[str, Any]]:
    return [{"column": column, "op": op, "value": value}]
