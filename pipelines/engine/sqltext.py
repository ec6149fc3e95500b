"""SQL text both systems read: names and conditions put together.

Quoting itself is the connectors' (``connectors/sql.py``).
"""

from connections.connectors.sql import Dialect, quote_identifier, quote_text

ident = quote_identifier


def qualified(*names: str) -> str:
    """``"schema"."table"``; empty parts are left out."""
    return ".".join(quote_identifier(name) for name in names if name)


def typed_literal(text: str, type_name: str, dialect: Dialect) -> str:
    """The text cast to the type: a cursor value keeps its exact spelling on the way."""
    return f"CAST({quote_text(text, dialect)} AS {type_name})"


def where(*conditions: str) -> str:
    """`` WHERE (a) AND (b)`` of the conditions that are not empty, or nothing."""
    text = " AND ".join(f"({condition})" for condition in conditions if condition)
    return f" WHERE {text}" if text else ""
