"""The log as a file, made while it is sent: CSV for spreadsheets, JSON lines for programs."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from django.db.models import QuerySet

from audit.models import AuditEvent
from audit.selectors import every_batch
from audit.words import sentence_of


class Shape(StrEnum):
    CSV = "csv"
    JSON_LINES = "jsonl"

    @property
    def content_type(self) -> str:
        return "text/csv; charset=utf-8" if self is Shape.CSV else "application/x-ndjson"


#: What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = (
    "id", "time", "actor", "actor kind", "action", "target type", "target", "changes", "address",
    "sentence",
)  # fmt: skip


def parts(rows: QuerySet[AuditEvent], shape: Shape) -> Iterator[str]:
    """The file in parts of some thousand events, the newest first."""
    if shape is Shape.CSV:
        yield _csv([_COLUMNS])
    for events in every_batch(rows):
        if shape is Shape.CSV:
            yield _csv(_safe(_cells(event)) for event in events)
        else:
            yield "".join(f"{json.dumps(as_json(event), ensure_ascii=False)}\n" for event in events)


def as_json(event: AuditEvent) -> dict[str, Any]:
    """The event with the names that the API has for it, and its digest."""
    return {
        "id": event.pk,
        "at": event.at.isoformat(),
        "actor": event.actor_label,
        "actor_kind": event.actor_kind,
        "actor_id": event.actor_id,
        "action": event.action,
        "target_type": event.target_type,
        "target_id": event.target_id,
        "target": event.target_label,
        "changes": event.changes,
        "ip": event.ip,
        "sentence": sentence_of(event),
        "digest": event.content_digest,
    }


def _csv(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cells(event: AuditEvent) -> tuple[str, ...]:
    return (
        str(event.pk),
        event.at.isoformat(timespec="seconds"),
        event.actor_label,
        event.actor_kind,
        event.action,
        event.target_type,
        event.target_label,
        json.dumps(event.changes, ensure_ascii=False) if event.changes else "",
        event.ip or "",
        sentence_of(event),
    )


def _safe(cells: Iterable[str]) -> list[str]:
    """Names are other people's text: none may start a formula where the file is opened."""
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
