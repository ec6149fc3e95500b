"""What every connector owes, asked of every one there is."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import pytest

from common.errors import NotFound, UserError
from connections.connectors import base, registry
from connections.connectors.base import Connector, Target
from connections.connectors.postgres import PostgresConnector
from connections.connectors.sqlite import SqliteConnector

ROOT = Path(__file__).resolve().parents[2]
CONNECTORS = list(registry.all_connectors().values())
MINIMAL: dict[str, dict[str, Any]] = {
    "postgres": {"host": "db.example.com", "database": "shop", "user": "app"},
    "mysql": {"host": "db.example.com", "database": "shop", "user": "app"},
    "sqlite": {"path": "shop.sqlite"},
    "duckdb": {"path": "warehouse.duckdb"},
    "csv": {"path": "weather/*.csv"},
    "json": {"path": "exports/*.json"},
    "jsonl": {"path": "events.jsonl"},
    "parquet": {"path": "**/*.parquet"},
}
_SECRET_WORDS = ("password", "token", "private_key", "passphrase")


@pytest.fixture(params=CONNECTORS, ids=lambda connector: connector.key)
def connector(request: pytest.FixtureRequest) -> Connector:
    one: Connector = request.param
    return one


def test_the_expected_connectors_are_found() -> None:
    assert set(registry.all_connectors()) == set(MINIMAL)
    assert registry.get_connector("duckdb").label == "DuckDB"
    with pytest.raises(NotFound, match="csv, duckdb, json, jsonl, mysql"):
        registry.get_connector("oracle")


def test_two_connectors_with_one_key_are_refused() -> None:
    twin = type("Twin", (SqliteConnector,), {"__module__": "twin"})
    first, second = types.ModuleType("twin"), types.ModuleType("twin")
    first.Twin = second.Twin = twin  # type: ignore[attr-defined]
    with pytest.raises(registry.DuplicateConnector, match='"sqlite"'):
        registry.collect([first, second])


def test_it_presents_itself(connector: Connector) -> None:
    assert connector.label
    assert connector.description.endswith(".")
    assert 0 < len(connector.tile) <= 3
    assert isinstance(connector.category, base.Category)
    page = (ROOT / "docs" / "connectors" / f"{connector.key}.md").read_text()
    assert page.startswith(f"# {connector.label}\n")
    assert len(page.splitlines()) <= 60


def test_its_capabilities_fit_together(connector: Connector, tmp_path: Path) -> None:
    able = connector.capabilities
    assert able.source or able.destination
    assert bool(able.write_dispositions) == able.destination
    assert able.write_dispositions <= {"append", "replace", "merge"}
    assert not able.dbt or able.destination
    assert not able.files or able.local
    if not able.dbt:
        target = Target(connector.key, MINIMAL[connector.key], {}, tmp_path)
        with pytest.raises(UserError, match="dbt does not build"):
            connector.dbt_profile(target, schema="main", threads=1)


def test_its_form_takes_the_least_and_survives_json(connector: Connector) -> None:
    form = connector.form_class(data=MINIMAL[connector.key])
    assert form.is_valid(), form.errors
    again = json.loads(json.dumps(form.cleaned_data))
    second = connector.form_class(data=again)
    assert second.is_valid(), second.errors
    assert second.cleaned_data == form.cleaned_data
    assert connector.form_class(data={}).is_valid() is False
    html = str(connector.form_class(initial=form.cleaned_data | {"password": "hunter2"}))
    assert "hunter2" not in html


def test_its_form_describes_every_field_once(connector: Connector) -> None:
    fields = connector.form_class.base_fields
    grouped = [name for _, names in connector.form_class.sections for name in names]
    assert sorted(grouped) == sorted(fields)
    assert set(connector.form_class.spans) == set(fields)
    for field in fields.values():
        assert field.label


def test_its_secrets_stay_secret(connector: Connector) -> None:
    secrets = connector.form_class.secret_fields
    assert secrets <= set(connector.form_class.base_fields)
    for name in connector.form_class.base_fields:
        assert (name in secrets) == any(word in name for word in _SECRET_WORDS)
    config = MINIMAL[connector.key] | dict.fromkeys(secrets, "hunter2")
    assert "hunter2" not in connector.address(config)


def test_forms_refuse_what_the_policy_refuses() -> None:
    for key in ("sqlite", "duckdb", "csv", "json", "jsonl", "parquet"):
        for path in ("../x", "file:///etc/passwd"):
            form = registry.get_connector(key).form_class(data={"path": path})
            assert "path" in form.errors
    postgres = PostgresConnector.form_class
    for wrong in (
        {"host": "/var/run/postgresql"},
        {"host": "a,b"},
        {"port": 70000},
        {"sslmode": "perhaps"},
        {"ca_certificate": "-----BEGIN CERTIFICATE-----"},
        {"ca_certificate": "no certificate", "sslmode": "verify-full"},
        {"ssh_host": "ssh://bastion"},
        {"ssh_port": 0},
        {"ssh_private_key": "not a key"},
        {"ssh_host_key": "ssh-ed25519 AAAA"},
        {"ssh_host": "", "use_tunnel": "on", "ssh_user": "app"},
        {"ssh_user": "", "use_tunnel": "on", "ssh_host": "bastion"},
    ):
        for key in ("postgres", "mysql"):
            form = registry.get_connector(key).form_class(data=MINIMAL[key] | wrong)
            assert set(form.errors) == set(list(wrong)[:1])
    form = postgres(data=MINIMAL["postgres"] | {"schemas": " public, sales ,public", "port": ""})
    assert form.is_valid()
    assert form.cleaned_data["schemas"] == ["public", "sales"]
    assert form.cleaned_data["port"] == 5432
    assert form.cleaned_data["sslmode"] == "prefer"
    assert "public, sales" in str(postgres(initial={"schemas": ["public", "sales"]}))


def test_a_host_key_is_taken_from_whatever_line_it_stands_in() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGsrStuv0aWfm0wHYv7x2FrQHYrS0yNqZlH1FSZCEyKn"
    for line in (key, f"{key} root@bastion", f"[bastion]:2222 {key}", f"bastion,10.0.0.1 {key}\n"):
        values = {**MINIMAL["mysql"], "ssh_host_key": line}
        form = registry.get_connector("mysql").form_class(data=values)
        assert form.is_valid(), form.errors
        assert form.cleaned_data["ssh_host_key"] == key


def test_the_child_side_needs_no_settings_and_loads_no_driver() -> None:
    program = (
        "import sys; import connections.connectors.operations as o; "
        "from connections.connectors.registry import all_connectors; print(len(all_connectors())); "
        "print(sorted({'duckdb', 'psycopg', 'pymysql', 'paramiko', 'dlt', 'dbt'} & set(sys.modules)))"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO", "COV"))}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=clean, capture_output=True, text=True
    )
    assert answer.stdout.split("\n")[:2] == [str(len(CONNECTORS)), "[]"], answer.stderr


class Events:
    """What a child wrote."""

    kinds: ClassVar[set[str]] = {"stage", "data", "done"}

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> None:
        assert event["event"] in self.kinds
        json.dumps(event)
        self.all.append(event)


def test_operations_speak_the_protocol(tmp_path: Path) -> None:
    from connections.connectors import operations

    (tmp_path / "a.csv").write_text("id,name\n1,Ada\n2,Grace\n")
    spec: dict[str, Any] = {
        "files_root": str(tmp_path),
        "allowed_roots": [],
        "egress": "private-allowed",
        "private_dir": str(tmp_path / "private"),
        "endpoint": {"connector": "csv", "config": {"path": "a.csv"}, "secrets": {}},
    }
    checked, found, described, sampled = Events(), Events(), Events(), Events()
    operations.check(spec | {"role": "source"}, checked)
    assert [event["event"] for event in checked.all] == ["stage", "stage", "stage", "done"]
    assert checked.all[-1]["summary"] == {"status": "ok"}
    operations.discover(spec | {"search": "", "schema": "", "after": None, "limit": None}, found)
    assert found.all[0]["value"]["tables"][0]["name"] == "a.csv"
    operations.describe(spec | {"schema": "", "table": "a.csv"}, described)
    assert [c["name"] for c in described.all[0]["value"]["columns"]] == ["id", "name"]
    filters = [{"column": "id", "op": "gt", "value": 1}]
    operations.sample(
        spec | {"schema": "", "table": "a.csv", "columns": None, "filters": filters, "limit": 5},
        sampled,
    )
    value = sampled.all[0]["value"]
    assert value["rows"] == (("2", "Grace"),)
    assert (value["kept"], value["total"]) == (1, 2)
