"""Our dbt adapter for MySQL by dbt alone: everything it promises, built twice on a real MariaDB."""
# ruff: noqa: DTZ001 - moments of MySQL have no zone

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest
import yaml

pytestmark = pytest.mark.chaos

PROJECT = Path(__file__).parent / "mysql_project"
FIRST = """id,customer_id,amount,ordered_at,note,is_paid
1,1,10.5,2026-01-01 10:00:00,it's ok,true
2,1,20,2026-01-02 11:00:00,back\\slash,false
3,2,5.25,2026-02-03 12:30:15,,true
4,3,100,2026-03-04 13:00:00,ünï,true
"""
#: Number 2 is gone, 4 has changed, 5 is new.
SECOND = """id,customer_id,amount,ordered_at,note,is_paid
1,1,10.5,2026-01-01 10:00:00,it's ok,true
3,2,5.25,2026-02-03 12:30:15,,true
4,3,250,2026-03-04 13:00:00,other,true
5,3,7,2026-03-05 13:00:00,new,false
"""


class Shop:
    def __init__(self, directory: Path, url: str) -> None:
        self.root = shutil.copytree(PROJECT, directory / "shop")
        parts = urlsplit(url)
        self.schema = parts.path.lstrip("/")
        self.connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            autocommit=True,
        )
        output = {
            "type": "mysql",
            "host": parts.hostname,
            "port": parts.port,
            "user": parts.username,
            "password": parts.password,
            "schema": self.schema,
            "threads": 2,
        }
        profile = {"shop": {"target": "dev", "outputs": {"dev": output}}}
        (self.root / "profiles.yml").write_text(yaml.safe_dump(profile))

    def dbt(self, *arguments: str) -> None:
        program = "import sys; from dbt.cli.main import cli; cli()"
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments, "--profiles-dir", ".", "--no-use-colors"],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]

    def load(self, orders: str, **variables: Any) -> None:
        (self.root / "seeds" / "raw_orders.csv").write_text(orders)
        self.dbt("build", "--vars", json.dumps(variables))

    def rows(self, query: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(query.replace("shop", self.schema))
            return list(cursor.fetchall())


@pytest.fixture
def shop(tmp_path: Path, mariadb_url: str) -> Iterator[Shop]:
    made = Shop(tmp_path, mariadb_url)
    yield made
    for name in ("snaps", "dbt_failures"):
        made.rows(f"drop database if exists shop_{name}")
    made.connection.close()


def test_everything_twice(shop: Shop) -> None:
    shop.load(FIRST)
    shop.load(SECOND, wide=True)
    _check_functions(shop)
    assert shop.rows("select id, amount, extra from shop.inc order by id") == [
        *((1, Decimal("10.50"), None), (2, Decimal("20.00"), None), (3, Decimal("5.25"), None)),
        *((4, Decimal("250.00"), 1), (5, Decimal("7.00"), 1)),
    ]
    # Excluded from the update, not from the insert.
    assert shop.rows("select id, amount, note from shop.merged where id > 3 order by id") == [
        *((4, Decimal("250.00"), "ünï"), (5, Decimal("7.00"), "new")),
    ]
    assert len(shop.rows("select 1 from shop.mb")) == 4
    _check_snapshots(shop)
    _check_definitions(shop)
    shop.dbt("docs", "generate")
    catalog = json.loads((shop.root / "target" / "catalog.json").read_text())
    columns = catalog["nodes"]["model.shop.customers"]["columns"]
    assert {name: column["type"] for name, column in columns.items()} == {
        "id": "bigint(20)",
        "name": "text",
        "total": "decimal(32,2)",
    }


def _check_functions(shop: Shop) -> None:
    assert shop.rows("select * from shop.utils") == [
        (
            *(1, 1, 1, datetime(2026, 11, 23), datetime(2026, 10, 1), date(2026, 2, 28)),
            *(date(2026, 3, 31), "b", "", "c", 2, "ab", "c4ca4238a0b923820dcc509a6f75849b"),
            *(2, "bc", 1, datetime(2026, 1, 1), date(2026, 4, 30)),
        )
    ]
    assert shop.rows("select * from shop.agg where customer_id = 3") == [
        (3, "other, new", "5", 1, "other")
    ]
    spine = shop.rows("select count(*), min(date_day), max(date_day) from shop.spine")
    assert spine == [(9, date(2026, 1, 1), date(2026, 1, 9))]


def _check_snapshots(shop: Shop) -> None:
    history = shop.rows(
        "select id, amount, dbt_valid_to is null, dbt_is_deleted from shop_snaps.orders_history"
        " order by id, dbt_valid_from, amount"
    )
    assert [row for row in history if row[0] in (2, 4, 5)] == [
        *((2, Decimal("20.00"), 0, "False"), (2, Decimal("20.00"), 1, "True")),
        *((4, Decimal("100.00"), 0, "False"), (4, Decimal("250.00"), 1, "False")),
        (5, Decimal("7.00"), 1, "False"),
    ]
    current = "select id from shop_snaps.orders_ts where dbt_valid_to = '9999-12-31' order by id"
    assert [pk for (pk,) in shop.rows(current)] == [1, 3, 4, 5]


def _check_definitions(shop: Shop) -> None:
    (_, contracted) = shop.rows("show create table shop.contracted")[0]
    for part in ("`name` varchar(100)", "CHECK (`rate` > 0)", "PRIMARY KEY (`id`)"):
        assert part in contracted
    (_, customers) = shop.rows("show create table shop.customers")[0]
    for part in ("UNIQUE KEY", "COMMENT 'the ''key'''", "COMMENT='Cust''s'"):
        assert part in customers


def test_a_model_that_fails_leaves_what_stood_there(shop: Shop) -> None:
    shop.load(FIRST)
    for name, sql in (
        ("customers", "select no_column from"),
        ("utils", "select no_column as m from"),
    ):
        model = shop.root / "models" / f"{name}.sql"
        kind = "{{ config(materialized='table') }} " if name == "customers" else ""
        model.write_text(f"{kind}{sql} {{{{ ref('stg_orders') }}}}")
    with pytest.raises(AssertionError, match="1054"):
        shop.dbt("run", "--select", "customers", "utils")
    assert len(shop.rows("select * from shop.customers")) == 3
    assert len(shop.rows("select * from shop.utils")) == 1
