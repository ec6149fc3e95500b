"""Rows of a benchmark: printed as a table line, and appended to ``build/<kind>.jsonl`` as one JSON object each.

    python -m bench.report [FILE]

renders ``build/bench.jsonl`` (or FILE) as a Markdown table, the last value of each name.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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


def at_most(name: str, value: float, unit: str, most: float, measured_with: str) -> Row:
    """A row whose value should not be above ``most``."""
    return Row(name, value, unit, f"≤ {most:g}", value <= most, measured_with)


def at_least(name: str, value: float, unit: str, least: float, measured_with: str) -> Row:
    """A row whose value should not be below ``least``."""
    return Row(name, value, unit, f"≥ {least:g}", value >= least, measured_with)


def shown(name: str, value: float, unit: str, measured_with: str) -> Row:
    """A row without a goal."""
    return Row(name, value, unit, "-", True, measured_with)


def report(kind: str, row: Row) -> None:
    """``kind`` is bench or chaos."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / f"{kind}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")
    mark = "holds" if row.holds else "MISSED"
    say(f"\n{row.name:66} {row.value:10.3f} {row.unit:4} goal {row.goal:10} {mark}")


def say(text: str) -> None:
    """To the terminal, at once: the table is what the command is for."""
    print(text, flush=True)  # noqa: T201


def markdown(text: str) -> str:
    """The JSON lines as a table, in the order in which their names came first."""
    rows: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        row = json.loads(line)
        rows[row["name"]] = row
    lines = ["| what | value | goal | | measured with |", "|---|---|---|---|---|"]
    for row in rows.values():
        value = f"{_number(row['value'])} {row['unit']}".strip()
        mark = "" if row["goal"] == "-" else "holds" if row["holds"] else "**missed**"
        cells = [row["name"], value, row["goal"], mark, row["measured_with"]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILD / "bench.jsonl"
    if not path.is_file():
        sys.exit(f"There is no {path.name} yet: run `make bench` first.")
    say(markdown(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
