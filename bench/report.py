"""Rows of a benchmark: printed as a table line, and appended to ``build/<kind>.jsonl`` as one JSON object each."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

BUILD = Path(__file__).resolve().parents[1] / "build"


@dataclass(frozen=True)
class Row:
    """``holds`` tells whether the goal was reached; ``measured_with`` names versions, sizes and counts."""

    name: str
    value: float
    unit: str
    goal: str
    holds: bool
    measured_with: str


def report(kind: str, row: Row) -> None:
    """``kind`` is bench or chaos."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / f"{kind}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")
    mark = "holds" if row.holds else "MISSED"
    print(  # noqa: T201 - the table is what the command is for
        f"\n{row.name:44} {row.value:10.3f} {row.unit:4} goal {row.goal:10} {mark}",
        flush=True,
    )
