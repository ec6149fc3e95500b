"""Short ways to a PostgreSQL endpoint, for the tests of several."""

from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from connections.connectors.base import Stage, Target
from connections.connectors.postgres import PostgresConnector

CONNECTOR = PostgresConnector()


def target_of(url: str, tmp_path: Path, **changes: Any) -> Target:
    """The endpoint of a URL, with some of its settings changed; ``password`` is a secret."""
    given: dict[str, Any] = conninfo_to_dict(url)
    secret = changes.pop("password", given.get("password", ""))
    values = {
        "host": given["host"],
        "port": given["port"],
        "database": given["dbname"],
        "user": given["user"],
    }
    form = CONNECTOR.form_class(data=values | changes)
    assert form.is_valid(), form.errors
    config = {k: v for k, v in form.cleaned_data.items() if k != "password"}
    return Target("postgres", config, {"password": secret}, tmp_path, private_dir=tmp_path)


def stages(target: Target, role: str = "source") -> list[Stage]:
    return list(CONNECTOR.check(target, role))
