"""Many rows of a table by one statement and without an instance for each, where rows come by the thousand.

Rows are mappings of a model's ``attname``s to values of its fields; all rows of a call name the same ones. What the
model would do in ``save`` or by signals does not happen. JSON that rows share is best given as the same object.
"""
# ruff: noqa: S608 - tables and columns are the models' own, quoted; values are parameters

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, models

Row = Mapping[str, Any]
_PLAIN = (models.ForeignKey, models.IntegerField, models.BooleanField)


def new_ids(model: type[models.Model], count: int) -> list[int]:
    """Ids for rows that the caller's transaction is about to insert."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [table, count],
            )
            return [pk for (pk,) in cursor.fetchall()]
        # Nobody else writes before the transaction ends.
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        found = cursor.fetchone()
    first = (found[0] if found else 0) + 1
    return list(range(first, first + count))


def insert(model: type[models.Model], rows: Sequence[Row], **same: Any) -> None:
    """Write rows; ``same`` holds for all of them, and what neither names gets the field's default."""
    if not rows:
        return
    columns = []
    for field in model._meta.concrete_fields:
        if field.attname in rows[0]:
            columns.append(_column(field, [row[field.attname] for row in rows]))
        elif not field.primary_key:
            columns.append(_column(field, [same.get(field.attname, field.get_default())]))
    names = ", ".join(column.name for column in columns)
    head = f"INSERT INTO {_quoted(model._meta.db_table)} ({names})"
    if connection.vendor == "postgresql":
        source, values, arrays = _unnested(columns, len(rows))
        _execute(f"{head} SELECT {', '.join(values)} FROM {source}", arrays)
    else:
        marks = ", ".join(["%s"] * len(columns))
        _execute_each(f"{head} VALUES ({marks})", columns, len(rows))


def update(model: type[models.Model], rows: Sequence[Row]) -> None:
    """Set what each row names beside its ``id``."""
    if not rows:
        return
    fields = {field.attname: field for field in model._meta.concrete_fields}
    # The id last, as in the statement.
    names = sorted(rows[0], key=lambda name: name == "id")
    columns = [
        _column(fields[name], [row[name] for row in rows], is_key=name == "id") for name in names
    ]
    table, key = _quoted(model._meta.db_table), columns[-1].name
    if connection.vendor == "postgresql":
        source, values, parameters = _unnested(columns, len(rows))
        pairs = zip(columns[:-1], values[:-1], strict=True)
        changes = ", ".join(f"{column.name} = {value}" for column, value in pairs)
        _execute(
            f"UPDATE {table} SET {changes} FROM {source} WHERE {table}.{key} = {values[-1]}",
            parameters,
        )
    else:
        changes = ", ".join(f"{column.name} = %s" for column in columns[:-1])
        _execute_each(f"UPDATE {table} SET {changes} WHERE {key} = %s", columns, len(rows))


@dataclass(frozen=True)
class _Column:
    """Values as the database takes them; one that is the same in all rows is there once."""

    field: "models.Field[Any, Any]"
    values: list[Any]
    is_same: bool

    @property
    def name(self) -> str:
        return _quoted(self.field.column or "")


def _column(field: "models.Field[Any, Any]", values: list[Any], *, is_key: bool = False) -> _Column:
    first = values[0]
    is_same = not is_key and all(value is first for value in values)
    if is_same:
        values = values[:1]
    write = _writer(field)
    written = [None if value is None else write(value) for value in values]
    return _Column(field, written, is_same)


def _writer(field: "models.Field[Any, Any]") -> Callable[[Any], Any]:
    if isinstance(field, models.JSONField):
        return _shared_json(field)
    if isinstance(field, models.CharField | models.TextField):
        return str
    if isinstance(field, _PLAIN):
        return lambda value: value
    known: dict[Any, Any] = {}

    def write(value: Any) -> Any:
        if value not in known:
            known[value] = field.get_db_prep_save(value, connection)
        return known[value]

    return write


def _shared_json(field: models.JSONField) -> Callable[[Any], str]:
    known: dict[int, str] = {}

    def write(value: Any) -> str:
        if (text := known.get(id(value))) is None:
            text = known[id(value)] = json.dumps(value, cls=field.encoder)
        return text

    return write


def _unnested(columns: list[_Column], count: int) -> tuple[str, list[str], list[Any]]:
    """A row source with an expression for each column's value, and the parameters of all of it.

    Expressions stand before the source in every statement, so their parameters come first.
    """
    values: list[str] = []
    before: list[Any] = []
    names, arrays, types = ["place"], [list(range(1, count + 1))], ["integer"]
    for number, column in enumerate(columns):
        kind = _type(column.field)
        if column.is_same:
            values.append(f"%s::{kind}")
            before.append(column.values[0])
        elif kind == "jsonb":
            # Each text is sent and parsed once, however many rows have it.
            texts = list(dict.fromkeys(column.values))
            places = {text: place for place, text in enumerate(texts, 1)}
            values.append(f"(%s::jsonb[])[u.c{number}]")
            before.append(texts)
            names.append(f"c{number}")
            arrays.append([places[text] for text in column.values])
            types.append("integer")
        else:
            values.append(f"u.c{number}")
            names.append(f"c{number}")
            arrays.append(column.values)
            types.append(kind)
    marks = ", ".join(f"%s::{kind}[]" for kind in types)
    return f"unnest({marks}) AS u({', '.join(names)})", values, [*before, *arrays]


def _type(field: "models.Field[Any, Any]") -> str:
    """A cast to ``varchar(80)`` would cut what is too long, where the column itself refuses it."""
    kind = str(field.db_type(connection))
    return "text" if kind.startswith("varchar") else kind


def _execute(sql: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def _execute_each(sql: str, columns: list[_Column], count: int) -> None:
    lists = [column.values * count if column.is_same else column.values for column in columns]
    with connection.cursor() as cursor:
        cursor.executemany(sql, list(zip(*lists, strict=True)))


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
