"""What a tenant's SQL and Jinja may not reach: one attack a case, all of them against the real thing."""

from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from transforms.engine import project
from transforms.tests.engine_support import Engine

PASSWORD = "not-needed-here"

#: Jinja attacks: name → text inside {{ }}, and what the refusal says.
JINJA = {
    "env_path": ("env_var('PATH')", "Env var required but not provided"),
    "env_kept": ("env_var('TZ')", "Env var required but not provided"),
    "env_driver": ("env_var('PGHOSTADDR')", "Env var required but not provided"),
    "env_secret": ("env_var('DBT_ENV_SECRET_X')", "Secret env vars"),
    "adapter_config": ("adapter.config.credentials.password", "config"),
    # Printed it is nothing at all, so it goes through a filter.
    "adapter_text": ("adapter.config | tojson", "config|JSON|Undefined"),
    "ref_config": ("ref.config.credentials.password", "config"),
    "source_config": ("source.config.credentials", "config"),
    "ref_adapter": ("ref.db_wrapper.config.credentials", "db_wrapper"),
    "attr_filter": ("(ref | attr('config')).credentials", "config"),
    "mapped": ("([ref] | map(attribute='config') | first).credentials", "config"),
    "formatted": ("'{0.config.credentials}'.format(ref)", "config"),
    "node_writes": ("config.model.write_node('/tmp', 'datanika_attack', 'x')", "write_node"),
    "manifest_writes": ("ref.manifest.write('/tmp/datanika_attack')", "manifest"),
    "globals": ("cycler.__init__.__globals__", "unsafe"),
    "python_job": (
        'submit_python_job(model, \'open("/tmp/datanika_attack", "w")\')',
        "Python|python",
    ),
}
SQL = {
    "read_csv": "select * from read_csv('/etc/passwd')",
    "read_text": "select * from read_text('/proc/self/environ')",
    "listing": "select * from glob('/etc/*')",
    "file_name": "select * from '/etc/passwd.csv'",
    "http": "select * from read_csv('http://127.0.0.1:9/x.csv')",
    "python_variable": "select * from emit",
}
HOOKS = {
    "copy_to": "copy (select 1) to '/tmp/datanika_attack.csv'",
    "copy_beside": "copy (select 1) to '{files}/beside.csv'",
    "attach": "attach '{files}/other.duckdb' as other",
    "install": "install httpfs",
    "load": "load httpfs",
    "unlock": "set lock_configuration = false",
    "open_up": "set enable_external_access = true",
    "allow": "set allowed_directories = ['/']",
    "secret": "create persistent secret s (type s3)",
    "export": "export database '{files}/out'",
}


def _jinja_models() -> list[dict[str, Any]]:
    return [
        {"name": name, "sql": "{% if execute %}select '{{ " + text + " }}' as x{% endif %}"}
        for name, (text, _) in JINJA.items()
    ]


@pytest.mark.parametrize("kind", ["duckdb", "postgres", "mysql"])
def test_hole_02_jinja_reaches_no_environment_no_credentials_no_file_and_no_python(
    kind: str, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    whole = {"name": "whole_context", "sql": "select $$ {{ context | string | length }} $$ as x"}
    answer = engine.build([*_jinja_models(), whole])
    results = answer.results
    for name, (_, words) in JINJA.items():
        assert results[name]["status"] == "failed", name
        assert any(word in results[name]["message"] for word in words.split("|")), results[name]
    assert PASSWORD not in str(answer.events)
    assert not list(Path("/tmp").glob("datanika_attack*"))


def test_the_whole_jinja_context_holds_no_password(postgres_engine: Engine) -> None:
    sql = "select $datanika$ {{ context }} {{ target }} {{ graph }} $datanika$ as everything"
    answer = postgres_engine.compile([], "everything", sql)
    assert len(answer.value["compiled_sql"]) > 1000
    assert PASSWORD not in answer.value["compiled_sql"]


def test_hole_09_no_file_of_a_build_holds_the_password(duckdb_engine: Engine) -> None:
    """No profiles.yml, no log, no compiled project: dbt gets its connection in memory."""
    secret = "a-password-that-is-nowhere-else"
    duckdb_engine.warehouse["secrets"] = {"password": secret}
    answer = duckdb_engine.call(
        "build_and_look",
        [{"name": "one", "sql": "select 1 as x"}],
        module="transforms.tests.engine_attacks",
        select=["one"],
    )
    assert answer.results["one"]["status"] == "succeeded"
    assert answer.value["files"] > 5
    assert answer.value["with_password"] == []
    assert answer.value["is_private"]


def test_a_locked_duckdb_opens_no_other_file_extension_or_setting(duckdb_engine: Engine) -> None:
    files = duckdb_engine.directory / "files"
    (files / "other.duckdb").write_bytes(b"")
    models: list[dict[str, Any]] = [
        {"name": name, "sql": sql, "materialization": "table"} for name, sql in SQL.items()
    ]
    for name, sql in HOOKS.items():
        hook = sql.format(files=files)
        models.append({"name": name, "sql": "select 1 as x", "config": {"pre_hook": hook}})
    external = {"materialized": "external", "location": str(files / "external.parquet")}
    arguments = ", ".join(f"{key}='{value}'" for key, value in external.items())
    models.append({"name": "external", "sql": f"{{{{ config({arguments}) }}}} select 1 as x"})
    plugin = "{{ config(materialized='external', plugin='glue|x') }} select 1 as x"
    models.append({"name": "plugin", "sql": plugin})
    # An odd alias is only an odd relation: no path is made of it.
    models.append({"name": "odd", "sql": "{{ config(alias='../../odd') }} select 1 as x"})
    answer = duckdb_engine.build(models)
    results = answer.results
    allowed = {name for name, result in results.items() if result["status"] != "failed"}
    assert allowed == {"odd"}
    assert sorted(path.name for path in files.iterdir()) == ["other.duckdb", "warehouse.duckdb"]
    assert not list(Path("/tmp").glob("datanika_attack*"))


def test_python_is_refused_even_through_a_macro_named_like_a_materialization(
    duckdb_engine: Engine,
) -> None:
    proof = duckdb_engine.directory / "files" / "proof"
    code = f"open('{proof}', 'w')\\ndef model(dbt, session): pass"
    macros = {
        "macros/trick.sql": "{% macro materialization_trick() %}"
        "{% call statement('x', language='python') %}" + code + "{% endcall %}{% endmacro %}"
    }
    sql = "{% if execute %}{{ materialization_trick() }}{% endif %} select 1 as x"
    answer = duckdb_engine.call(
        "build_with_macros",
        [{"name": "tricked", "sql": sql}],
        module="transforms.tests.engine_attacks",
        macros=macros,
        select=["tricked"],
    )
    assert "Python models are disabled" in answer.results["tricked"]["message"]
    assert not proof.exists()


@pytest.mark.parametrize("name", ["../../x", "a/b", "A", "1a", "", "a b", "a" * 64, "é"])
def test_names_that_could_become_other_paths_are_refused(name: str) -> None:
    with pytest.raises(UserError):
        project.TransformationRow(name, "select 1")
    with pytest.raises(UserError):
        project.SourceRow(name)
    if name and "/" not in name:
        with pytest.raises(UserError):
            project.TransformationRow("fine", "select 1", folder=f"ok/{name}")


def test_folders_never_leave_the_project() -> None:
    for folder in ("..", "../x", "/etc", "a//../b", "a/./b"):
        try:
            path = project.TransformationRow("fine", "select 1", folder=folder).path
        except UserError:
            continue
        assert path.startswith("models/")
        assert ".." not in path
