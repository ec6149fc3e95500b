"""MySQL and MariaDB for dbt."""

from dbt.adapters.base import AdapterPlugin
from dbt.adapters.mysql.connections import MySQLConnectionManager, MySQLCredentials
from dbt.adapters.mysql.impl import MySQLAdapter
from dbt.include import mysql

__all__ = ["MySQLAdapter", "MySQLConnectionManager", "MySQLCredentials", "Plugin"]

Plugin = AdapterPlugin(
    adapter=MySQLAdapter,
    credentials=MySQLCredentials,
    include_path=mysql.PACKAGE_PATH,
)
