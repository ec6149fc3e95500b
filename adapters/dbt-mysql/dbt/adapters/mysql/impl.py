"""The adapter."""

from collections import defaultdict
from datetime import datetime
from typing import Any, ClassVar

from dbt.adapters.base import ConstraintSupport, available
from dbt.adapters.mysql.column import MySQLColumn, cast_type
from dbt.adapters.mysql.connections import MySQLConnectionManager
from dbt.adapters.mysql.relation import MySQLRelation, moment, quoted
from dbt.adapters.sql import SQLAdapter
from dbt_common.contracts.constraints import ConstraintType

_EVERY_STRATEGY = ["append", "delete+insert", "merge", "microbatch"]


class MySQLAdapter(SQLAdapter):
    Relation = MySQLRelation
    Column = MySQLColumn
    ConnectionManager = MySQLConnectionManager

    CONSTRAINT_SUPPORT: ClassVar[dict[ConstraintType, ConstraintSupport]] = {
        ConstraintType.check: ConstraintSupport.ENFORCED,
        ConstraintType.not_null: ConstraintSupport.ENFORCED,
        ConstraintType.unique: ConstraintSupport.ENFORCED,
        ConstraintType.primary_key: ConstraintSupport.ENFORCED,
        ConstraintType.foreign_key: ConstraintSupport.ENFORCED,
    }

    @classmethod
    def date_function(cls) -> str:
        return "current_timestamp(6)"

    @classmethod
    def quote(cls, identifier: str) -> str:
        return quoted(identifier)

    @classmethod
    def convert_text_type(cls, agate_table: Any, col_idx: int) -> str:
        return "text"

    @classmethod
    def convert_number_type(cls, agate_table: Any, col_idx: int) -> str:
        import agate  # noqa: PLC0415 - half a second, for seeds only

        decimals = agate_table.aggregate(agate.MaxPrecision(col_idx))
        return "double" if decimals else "bigint"

    @classmethod
    def convert_integer_type(cls, agate_table: Any, col_idx: int) -> str:
        return "bigint"

    @classmethod
    def convert_boolean_type(cls, agate_table: Any, col_idx: int) -> str:
        return "boolean"

    @classmethod
    def convert_datetime_type(cls, agate_table: Any, col_idx: int) -> str:
        return "datetime(6)"

    def valid_incremental_strategies(self) -> list[str]:
        return _EVERY_STRATEGY

    def timestamp_add_sql(self, add_to: str, number: int = 1, interval: str = "hour") -> str:
        return f"date_add({add_to}, interval {number} {interval})"

    def string_add_sql(self, add_to: str, value: str, location: str = "append") -> str:
        parts = (add_to, f"'{value}'") if location == "append" else (f"'{value}'", add_to)
        return f"concat({', '.join(parts)})"

    @available
    @classmethod
    def cast_type(cls, dtype: str) -> str:
        return cast_type(str(dtype))

    @available
    @classmethod
    def moment(cls, value: datetime) -> str:
        return moment(value)

    @available.parse_list
    def columns_of(self, rows: Any) -> list[MySQLColumn]:
        """From the rows of ``SHOW COLUMNS``."""
        return [MySQLColumn.from_definition(str(row[0]), str(row[1])) for row in rows]

    def standardize_grants_dict(self, grants_table: Any) -> dict[str, list[str]]:
        """Rows of (account, privilege) as lists of accounts by privilege."""
        found: dict[str, list[str]] = defaultdict(list)
        for grantee, privilege in grants_table.rows:
            found[str(privilege).lower()].append(str(grantee))
        return dict(found)
