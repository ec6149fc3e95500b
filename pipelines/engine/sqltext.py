"""SQL text of several systems: names and conditions put together.

Quoting itself is the connectors' (``connectors/sql.py``).
"""

from connections.connectors.sql import Dialect, quote_identifier, quote_text


def ident(name: str, dialect: Dialect = Dialect.DUCKDB) -> str:
    """The name quoted as the dialect writes it."""
    return quote_identifier(name, dialect=dialect)


def qualified(*names: str, dialect: Dialect = Dialect.DUCKDB) -> str:
    """``"schema"."table"``; empty parts are left out."""
    return ".".join(ident(name, dialect) for name in names if name)


def typed_literal(text: str, type_name: str, dialect: Dialect) -> str:
    """The text cast to the type: a cursor value keeps its exact spelling on the way."""
    if dialect is Dialect.MYSQL:
        # MySQL casts to a handful of names of its own; it compares a text with any column by the column's type.
        return quote_text(text, dialect)
    if dialect is Dialect.SQLITE:
        # A CAST to DATE would keep the year alone; a bare text is compared as the column's affinity wants it.
        return quote_text(text, dialect)
    return f"CAST({quote_text(text, dialect)} AS {type_name})"


def where(*conditions: str) -> str:
    """`` WHERE (a) AND (b)`` of the conditions that are not empty, or nothing."""
    text = " AND ".join(f"({condition})" for condition in conditions if condition)
    return f" WHERE {text}" if text else ""


def filled(template: str, expression: str) -> str:
    """The template with ``{c}`` replaced; no other braces have a meaning in it."""
    return template.replace("{c}", expression)
