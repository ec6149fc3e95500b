"""Who holds ciphertext: every place of the database whose content is encrypted, so that a key can be replaced.

Columns of ``EncryptedJSONField`` are found by themselves. Whoever encrypts within another column says so with
``hold``, in the ``ready`` of its app.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import F, Model, TextField, Value
from django.db.models.functions import Cast

from common.crypto import EncryptedJSONField, SecretUnreadable, is_newest, renewed

BATCH = 500

Change = Callable[[str], str]
#: The stored value with every token in it replaced by what the change makes of it.
Walk = Callable[[Any, Change], Any]


@dataclass(frozen=True)
class Holder:
    """One column of one model; ``is_encrypted`` when the whole of it is one token."""

    model: type[Model]
    column: str
    walk: Walk
    is_encrypted: bool = True

    @property
    def label(self) -> str:
        return f"{self.model._meta.label}.{self.column}"


@dataclass
class Count:
    """What was found in one column: rows with ciphertext, those of an older key, those that no key opens."""

    holder: Holder
    rows: int = 0
    old: int = 0
    unreadable: int = 0
    renewed: int = 0


_held: dict[tuple[str, str], Walk] = {}


def hold(model: str, column: str, walk: Walk) -> None:
    """Say that ``column`` of ``model`` (``app.Model``) has tokens in it, and how they are found."""
    _held[model.lower(), column] = walk


def holders() -> list[Holder]:
    """Every one of this installation, by its name."""
    found = [
        Holder(model, field.attname, lambda token, change: change(token))
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedJSONField)
    ]
    for (label, column), walk in _held.items():
        found.append(Holder(apps.get_model(label), column, walk, is_encrypted=False))
    return sorted(found, key=lambda holder: holder.label)


def counts() -> Iterator[Count]:
    """How many rows hang on an older key, column by column; changes nothing."""
    for holder in holders():
        count = Count(holder)
        for _pk, value in _rows(holder):
            _look(count, value)
        yield count


def renew_all() -> Iterator[Count]:
    """Encrypt everything with the newest key, each row in a transaction of its own.

    It may be stopped at any moment and started again: what is done stays done. Edits at the same time are kept, as
    the row is locked while its ciphertext is read and written.
    """
    for holder in holders():
        count = Count(holder)
        for pk, value in _rows(holder):
            if _look(count, value):
                count.renewed += _renew(holder, pk)
        yield count


def tokens_in(holder: Holder, value: Any) -> list[str]:
    found: list[str] = []

    def note(token: str) -> str:
        found.append(token)
        return token

    holder.walk(value, note)
    return found


def _look(count: Count, value: Any) -> bool:
    """Note what the row is like; whether it can and should be renewed."""
    old = [token for token in tokens_in(count.holder, value) if not is_newest(token)]
    count.rows += 1
    if not old:
        return False
    count.old += 1
    try:
        for token in old:
            renewed(token)
    except SecretUnreadable:
        count.unreadable += 1
        return False
    return True


def _rows(holder: Holder) -> Iterator[tuple[Any, Any]]:
    """Key and stored value of each row with ciphertext, by key in batches: new rows come last, and none twice."""
    last = None
    while True:
        rows = _stored(holder).order_by("pk")
        if last is not None:
            rows = rows.filter(pk__gt=last)
        batch = list(rows.values_list("pk", "stored")[:BATCH])
        yield from ((pk, value) for pk, value in batch if value and tokens_in(holder, value))
        if len(batch) < BATCH:
            return
        last = batch[-1][0]


def _stored(holder: Holder) -> Any:
    """As it lies in the table: a cast keeps the field from decrypting it."""
    rows = holder.model._base_manager.all()
    if holder.is_encrypted:
        return rows.annotate(stored=Cast(holder.column, TextField()))
    return rows.annotate(stored=F(holder.column))


def _renew(holder: Holder, pk: Any) -> bool:
    with transaction.atomic():
        # Read again under its lock: somebody may have changed or deleted it since the batch was read.
        # The lock is asked for without the cast, which PostgreSQL would not lock through a subquery.
        row = holder.model._base_manager.select_for_update().filter(pk=pk)
        if not row.values_list("pk", flat=True).first():
            return False
        value = _stored(holder).filter(pk=pk).values_list("stored", flat=True).first()
        if not value or all(map(is_newest, tokens_in(holder, value))):
            return False
        fresh = holder.walk(value, lambda token: token if is_newest(token) else renewed(token))
        stored = Value(fresh, output_field=TextField()) if holder.is_encrypted else fresh
        return bool(holder.model._base_manager.filter(pk=pk).update(**{holder.column: stored}))
