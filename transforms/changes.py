"""What differs between the saved transformation and the one somebody else is about to save."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import yaml

#: Unchanged lines shown around a change.
_AROUND = 3


@dataclass(frozen=True)
class DiffLine:
    """A line of a diff: ``kind`` is "add", "del", "" (the same) or "gap" (lines left out)."""

    kind: str
    old: int | None = None
    new: int | None = None
    text: str = ""

    @property
    def mark(self) -> str:
        return {"add": "+", "del": "−"}.get(self.kind, "")


def difference_of(saved: dict[str, Any], mine: dict[str, Any]) -> dict[str, list[DiffLine]]:
    """The changed parts of two snapshots (``services.snapshot``): "sql" and "settings"."""
    parts = {
        "sql": (saved["sql"], mine["sql"]),
        "settings": (_settings(saved), _settings(mine)),
    }
    found = {name: diff(old, new) for name, (old, new) in parts.items()}
    return {name: lines for name, lines in found.items() if lines}


def diff(old: str, new: str) -> list[DiffLine]:
    """The changes from ``old`` to ``new`` with the lines around them; empty where there is none."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[DiffLine] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    groups = [] if before == after else matcher.get_grouped_opcodes(_AROUND)
    for group in groups:
        if lines:
            lines.append(DiffLine("gap"))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                pairs = zip(range(i1, i2), range(j1, j2), strict=True)
                lines += [DiffLine("", i + 1, j + 1, before[i]) for i, j in pairs]
                continue
            lines += [DiffLine("del", i + 1, None, before[i]) for i in range(i1, i2)]
            lines += [DiffLine("add", None, j + 1, after[j]) for j in range(j1, j2)]
    return lines


def _settings(snapshot: dict[str, Any]) -> str:
    shown = {key: value for key, value in snapshot.items() if key not in ("sql", "connection")}
    return str(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=80))
