"""MySQL and MariaDB as the destination. Their DDL ends a transaction, so a table that is replaced is renamed into
place, and a note written before the rename says afterwards that it happened.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any

import pymysql

from common.children.hooks import on_cancel
from common.errors import UserError
from connections.connectors import mysql_connection
from connections.connectors.base import Target
from connections.connectors.mysql_catalog import product_of
from connections.connectors.mysql_errors import explain
from connections.connectors.sql import Dialect
from pipelines.engine.destinations.base import (
    LEDGER,
    LEDGER_COLUMNS,
    REJECT_COLUMNS,
    REJECTS,
    STAGE_PREFIX,
    CopyFeed,
    Feed,
    Order,
)
from pipelines.engine.destinations.mysql_rows import Rows
from pipelines.engine.destinations.sql import SqlDestination, index_name, stored_literal
from pipelines.engine.errors import BadData, TypeConflict, Unconvertible
from pipelines.engine.model import (
    LOAD_ID_COLUMN,
    ColumnPlan,
    Committed,
    ExistingTable,
    Known,
    Landing,
    TablePlan,
)
from pipelines.engine.session import Session
from pipelines.engine.sqltext import filled
from pipelines.engine.types import to_mysql

_OLD_PREFIX = "_dlt_old_"
#: Of the stage, where the order of rows matters.
_ROW = "_dlt_row"
#: An index has room for 3,072 bytes; a text counts four a character.
_INDEXED_CHARACTERS = 700
_WAIT_SECONDS = 600
_NOT_ALLOWED = frozenset({1044, 1142, 1227})
