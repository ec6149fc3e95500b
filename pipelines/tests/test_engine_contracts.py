"""Schema contracts, refused rows and their replay, column settings, queries, subsets, and looks."""

from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from pipelines.engine import main
from pipelines.engine.errors import BadData, NothingToReplay, SchemaFrozen
from pipelines.tests.engine_support import (
    Bench,
    duck,
    file_endpoint,
    pg,
    postgres_endpoint,
    results,
)


class Files(Bench):
    """A CSV file and its copy in one of the destinations."""

    def __init__(self, directory: Path, url: str, to: str) -> None:
        target = file_endpoint("duckdb", "w.duckdb") if to == "duckdb" else postgres_endpoint(url)
        super().__init__(directory, file_endpoint("csv", "*.csv"), target)
        self.url, self.to = url, to
        self.spec["mode"] = "files"

    def write(self, text: str) -> None:
        (self.files / "t.csv").write_text(text)

    def run(self, **settings: Any) -> dict[str, Any]:
        changes = {"options": settings.pop("options")} if "options" in settings else {}
        settings.setdefault("write_disposition", "append")
        return results(self.load({"name": "t.csv", "target": "t", **settings}, **changes))["t.csv"]

    def there(self, query: str) -> list[tuple[Any, ...]]:
        if self.to == "duckdb":
            return duck(self.files / "w.duckdb", query)
        return pg(self.url, query)


@pytest.fixture(params=["postgres", "duckdb"])
def files(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Files:
    found = Files(tmp_path, postgres_url, request.param)
    found.write("id,amount\n1,1.50\n2,2.50\n")
    return found


def test_a_new_table(files: Files) -> None:
    with pytest.raises(SchemaFrozen, match="no new table"):
        files.run(schema_contract={"tables": "freeze"})
    left_out = files.run(schema_contract={"tables": "discard_row"})
    assert left_out["rows_read"] == 0
    assert left_out["schema_changes"][0]["treatment"] == "left out"
    first = files.run()
    assert first["schema_changes"][0]["change"] == "table_added"
    assert files.run()["schema_changes"] == []


def test_a_new_column(files: Files) -> None:
    files.run()
    files.write("id,amount,note\n3,3.50,x\n4,4.50,\n")
    with pytest.raises(SchemaFrozen, match='new column "note"'):
        files.run(schema_contract={"columns": "freeze"})
    dropped = files.run(schema_contract={"columns": "discard_value"})
    assert (dropped["rows_loaded"], dropped["rows_rejected"]) == (2, 0)
    assert dropped["schema_changes"][0]["treatment"] == "left out"
    refused = files.run(schema_contract={"columns": "discard_row"})
    assert (refused["rows_loaded"], refused["rows_rejected"]) == (1, 1)
    assert refused["rejects"][0]["column"] == "note"
    evolved = files.run()
    assert evolved["schema_changes"][0] == {
        "change": "column_added",
        "column": "note",
        "before": "",
        "after": "text" if files.to == "postgres" else "VARCHAR",
        "treatment": "evolved",
    }
    assert files.there("SELECT count(*), count(note) FROM raw.t") == [(2 + 2 + 1 + 2, 1)]
    files.write("id,amount\n5,5.50\n")
    gone = files.run()["schema_changes"]
    assert [(c["change"], c["column"], c["treatment"]) for c in gone] == [
        ("column_removed", "note", "kept")
    ]
    assert files.run()["schema_changes"] == []


def test_another_type(files: Files) -> None:
    files.run()
    files.write("id,amount\n3,3.75\n4,cheap\n5,\n")
    with pytest.raises(SchemaFrozen, match='"amount" to become'):
        files.run(schema_contract={"data_type": "freeze"})
    refused = files.run(schema_contract={"data_type": "discard_row"})
    assert (refused["rows_read"], refused["rows_loaded"], refused["rows_rejected"]) == (3, 2, 1)
    assert files.there("SELECT reason, column_name, raw_value FROM raw._dlt_rejects") == [
        ("is not a value of DECIMAL(18,2)", "amount", "cheap")
    ]
    emptied = files.run(schema_contract={"data_type": "discard_value"})
    assert (emptied["rows_loaded"], emptied["rows_rejected"]) == (3, 0)
    assert {
        "column": "amount",
        "text": "set to NULL by the schema contract",
        "count": 1,
    } in emptied["conversions"]
    widened = files.run()
    assert widened["schema_changes"][0]["treatment"] == "widened"
    assert files.there("SELECT count(*) FROM raw.t WHERE amount = 'cheap'") == [(1,)]
    assert files.there("SELECT count(*) FROM raw.t WHERE amount = '1.50'") == [(1,)]


def test_refused_rows_are_replayed_after_a_fix(files: Files) -> None:
    files.run()
    files.write("id,amount\n3,3.75\n4,cheap\n5,12.345\n")
    contract = {"data_type": "discard_row"}
    assert files.run(schema_contract=contract)["rows_rejected"] == 2
    # Nothing was mended: they stay where they are.
    again = files.run(schema_contract=contract, options={"replay_rejects": True})
    assert (again["rows_read"], again["rows_loaded"], again["rows_rejected"]) == (2, 0, 2)
    replayed = files.run(options={"replay_rejects": True})
    assert (replayed["rows_read"], replayed["rows_loaded"], replayed["rows_rejected"]) == (2, 2, 0)
    assert files.there("SELECT id, amount FROM raw.t WHERE id > 3 ORDER BY id") == [
        (4, "cheap"),
        (5, "12.345"),
    ]
    assert files.there("SELECT count(*) FROM raw._dlt_rejects") == [(0,)]
    with pytest.raises(NothingToReplay):
        files.run(options={"replay_rejects": True})


def test_rejects_are_listed_and_thrown_away(files: Files) -> None:
    files.run()
    files.write("id,amount\n3,a\n4,b\n5,c\n")
    files.run(schema_contract={"data_type": "discard_row"})
    page = ask(files, "rejects", table="t", limit=2)
    assert page["tables"] == [{"table_name": "t", "count": 3}]
    assert [row["raw_value"] for row in page["rows"]] == ["a", "b"]
    rest = ask(files, "rejects", table="t", limit=2, after=page["next"])
    assert ([row["raw_value"] for row in rest["rows"]], rest["next"]) == (["c"], None)
    ids = [row["reject_id"] for row in page["rows"]]
    assert ask(files, "discard_rejects", ids=ids) == {"discarded": 2}
    assert ask(files, "rejects")["tables"] == [{"table_name": "t", "count": 1}]


def ask(bench: Bench, entry: str, **extra: Any) -> Any:
    events: list[dict[str, Any]] = []
    getattr(main, entry)({**bench.spec, **extra}, events.append)
    return next(event["value"] for event in events if event["event"] == "data")


# --- values the destination has no room for --------------------------------------------------------


def test_values_without_room_are_put_aside(tmp_path: Path, postgres_url: str) -> None:
    pg(
        postgres_url,
        "CREATE TABLE t (id int, n numeric(10,2), at timestamp)",
        "INSERT INTO t VALUES (1, 1, now()), (2, 'NaN', now()), (3, 3, '294276-12-31')",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    wanted = {"schema": "public", "name": "t", "target": "t"}
    result = results(bench.load(wanted))["t"]
    assert (result["rows_loaded"], result["rows_rejected"]) == (1, 2)
    kept = "SELECT column_name, raw_value FROM raw._dlt_rejects ORDER BY 1 DESC"
    assert duck(bench.files / "w.duckdb", kept) == [("n", "NaN"), ("at", "294276-12-31 00:00:00")]
    with pytest.raises(BadData, match="freezes the types"):
        bench.load({**wanted, "schema_contract": {"data_type": "freeze"}})


# --- column settings --------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["postgres", "duckdb"])
def test_rename_hash_and_mask(tmp_path: Path, postgres_url: str, to: str) -> None:
    import hashlib

    pg(
        postgres_url,
        "CREATE TABLE p (id int primary key, mail text, card text, pin int)",
        "INSERT INTO p VALUES (1, 'é@x.org', '4111111111111111', 1234), (2, null, null, null)",
    )
    target = (
        file_endpoint("duckdb", "w.duckdb") if to == "duckdb" else postgres_endpoint(postgres_url)
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), target)
    settings = {
        "id": {"rename": "person"},
        "mail": {"transform": "hash", "rename": "mail_hash"},
        "card": {"transform": "mask"},
        "pin": {"transform": "mask"},
    }
    events = bench.load(
        {
            "schema": "public",
            "name": "p",
            "target": "p",
            "column_settings": settings,
            "write_disposition": "merge",
        },
        hash_key="pepper",
    )
    digest = hashlib.sha256("pepperé@x.org".encode()).hexdigest()
    query = "SELECT person, mail_hash, card, pin FROM raw.p ORDER BY person"
    found = duck(bench.files / "w.duckdb", query) if to == "duckdb" else pg(postgres_url, query)
    assert found == [(1, digest, "************1111", "****"), (2, None, None, None)]
    assert "pepper" not in str(events)
    noted = {one["column"]: one["text"] for one in results(events)["p"]["conversions"]}
    assert noted == {"mail_hash": "hashed", "card": "masked", "pin": "masked"}


# --- queries, subsets, estimates, verification --------------------------------------------------------


def test_a_query_is_a_resource(tmp_path: Path, postgres_url: str) -> None:
    pg(postgres_url, "CREATE TABLE a AS SELECT n AS id, n % 3 AS k FROM generate_series(1, 9) n")
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    query = "WITH x AS (SELECT k, count(*) AS n, sum(id)::numeric(20,2) AS s FROM a GROUP BY k) SELECT * FROM x -- end"
    wanted = {
        "name": "sums",
        "target": "sums",
        "query": query,
        "filters": [{"column": "k", "op": "gt", "value": 0}],
    }
    result = results(bench.load(wanted, mode="query"))["sums"]
    assert (result["rows_read"], result["rows_filtered"], result["rows_loaded"]) == (3, 1, 2)
    assert pg(postgres_url, "SELECT k, n, s::text FROM raw.sums ORDER BY k") == [
        (1, 3, "12.00"),
        (2, 3, "15.00"),
    ]
    with pytest.raises(UserError):
        bench.load({**wanted, "query": "DELETE FROM a RETURNING id"}, mode="query")
    assert pg(postgres_url, "SELECT count(*) FROM a") == [(9,)]


def test_a_subset_of_a_database(tmp_path: Path, postgres_url: str) -> None:
    for name in ("sales_a", "sales_b", "sales_tmp", "other"):
        pg(postgres_url, f"CREATE TABLE {name} (id int)")
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    subset = {
        "mode": "full_database",
        "source_schema": "public",
        "include": ["sales_*"],
        "exclude": ["*_tmp"],
    }
    assert set(results(bench.load(**subset))) == {"sales_a", "sales_b"}
    only = results(bench.load(**subset, options={"resources": ["sales_b"]}))
    assert set(only) == {"sales_b"}
    with pytest.raises(UserError, match="not a table of this pipeline"):
        bench.load(**subset, options={"resources": ["nope"]})


def test_estimates_and_state(tmp_path: Path, postgres_url: str) -> None:
    pg(postgres_url, "CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 50) n")
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    wanted = {
        "schema": "public",
        "name": "t",
        "target": "t",
        "write_disposition": "append",
        "cursor": {"column": "id"},
    }
    bench.spec["resources"] = [wanted]
    assert ask(bench, "estimate")["resources"][0]["target_rows"] is None
    bench.load(wanted)
    bounds = {"cursor_range": {"from": "10", "to": "20"}}
    assert ask(bench, "estimate", options=bounds)["resources"] == [
        {
            "name": "t",
            "target": "t",
            "source_rows": 50,
            "exact": True,
            "target_rows": 50,
            "range_rows": 10,
            "range_target_rows": 10,
        }
    ]
    state = ask(bench, "state")["resources"]["t"]
    assert (state["column"], state["value"], state["edit"]) == ("id", "50", 0)


@pytest.mark.parametrize("to", ["postgres", "duckdb"])
def test_verification_compares_both_ends(tmp_path: Path, postgres_url: str, to: str) -> None:
    pg(postgres_url, "CREATE TABLE t AS SELECT n AS id, 2 * n AS k FROM generate_series(1, 50) n")
    target = (
        file_endpoint("duckdb", "w.duckdb") if to == "duckdb" else postgres_endpoint(postgres_url)
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), target)
    wanted = {"schema": "public", "name": "t", "target": "t", "verify": "sums"}
    assert results(bench.load(wanted))["t"]["verification"] == {
        "level": "sums",
        "status": "agreed",
        "checks": [
            {"name": "rows", "source": "50", "destination": "50"},
            {"name": "sum of id", "source": "1275", "destination": "1275"},
            {"name": "sum of k", "source": "2550", "destination": "2550"},
        ],
    }


def test_a_table_that_may_not_be_read_fails_alone(tmp_path: Path, postgres_url: str) -> None:
    role = f"r{abs(hash(postgres_url))}"
    pg(
        postgres_url,
        "CREATE TABLE a (id int)",
        "CREATE TABLE b (id int)",
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"GRANT SELECT ON a TO {role}",
    )
    source = postgres_endpoint(postgres_url)
    source["config"]["user"], source["secrets"] = role, {"password": "x"}
    bench = Bench(tmp_path, source, file_endpoint("duckdb", "w.duckdb"))
    events: list[dict[str, Any]] = []
    spec = {**bench.spec, "mode": "full_database", "source_schema": "public"}
    with pytest.raises(UserError, match=r"1 of 2 tables failed.*b") as caught:
        main.load(spec, events.append)
    assert not caught.value.transient
    found = {name: event["status"] for name, event in results(events).items()}
    assert found == {"a": "succeeded", "b": "failed"}
    pg(postgres_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_refused_row_keeps_no_protected_value(tmp_path: Path, postgres_url: str) -> None:
    pg(
        postgres_url,
        "CREATE TABLE p (id int, mail text, n numeric(10,2))",
        "INSERT INTO p VALUES (1, 'eve@example.org', 'NaN')",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    wanted = {
        "schema": "public",
        "name": "p",
        "target": "p",
        "column_settings": {"mail": {"transform": "hash"}},
    }
    bench.load(wanted, hash_key="pepper")
    kept = duck(bench.files / "w.duckdb", "SELECT row_json FROM raw._dlt_rejects")
    assert "eve" not in str(kept)
    pg(postgres_url, "UPDATE p SET n = 1")
    plain = results(bench.load(wanted, hash_key="pepper"))["p"]
    assert plain["rows_loaded"] == 1
    hashed = duck(bench.files / "w.duckdb", "SELECT mail FROM raw.p")[0][0]
    assert hashed in str(kept)


def test_a_table_that_fails_on_the_way_leaves_the_next_one_alone(
    tmp_path: Path, postgres_url: str
) -> None:
    pg(
        postgres_url,
        "CREATE TABLE a AS SELECT n AS id, 10 - n AS d FROM generate_series(1, 20000) n",
        "CREATE VIEW b AS SELECT id, 100 / d AS q FROM a WHERE id > 5",
        "CREATE TABLE c AS SELECT 1 AS id",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    events: list[dict[str, Any]] = []
    wanted = [{"schema": "public", "name": name, "target": name} for name in ("b", "c")]
    with pytest.raises(UserError, match="1 of 2 tables failed"):
        main.load({**bench.spec, "resources": wanted}, events.append)
    found = {name: event["status"] for name, event in results(events).items()}
    assert found == {"b": "failed", "c": "succeeded"}
    tables = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'"
    )
    assert {row[0] for row in pg(postgres_url, tables)} == {
        "c",
        "_dlt_commits",
        "_dlt_rejects",
        "_dlt_version",
        "_dlt_loads",
        "_dlt_pipeline_state",
    }


def test_a_contract_that_evolves_takes_refused_values_as_text(
    tmp_path: Path, postgres_url: str
) -> None:
    pg(
        postgres_url,
        "CREATE TABLE p (id int, n numeric(10,2))",
        "INSERT INTO p VALUES (1, 1.5), (2, 'NaN')",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    wanted = {"schema": "public", "name": "p", "target": "p", "write_disposition": "append"}
    assert results(bench.load(wanted))["p"]["rows_rejected"] == 1
    again = results(bench.load(wanted, options={"replay_rejects": True}))["p"]
    assert (again["rows_loaded"], again["schema_changes"][0]["treatment"]) == (1, "widened")
    assert duck(bench.files / "w.duckdb", "SELECT id, n FROM raw.p ORDER BY id") == [
        (1, "1.50"),
        (2, "NaN"),
    ]
