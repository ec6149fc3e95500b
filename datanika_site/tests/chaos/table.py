"""The rows that ``make chaos`` prints and keeps in ``build/chaos.jsonl``."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.report import Row, at_most, report
from datanika_site.tests.chaos.records import Fired


@dataclass
class Table:
    """Rows of the table that ``make chaos`` prints."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        report("chaos", row)

    def at_most(self, name: str, value: float, unit: str, most: float, measured_with: str) -> None:
        self.add(at_most(name, round(value, 3), unit, most, measured_with))

    def exactly(self, name: str, numbers: Sequence[int], holds: bool, measured_with: str) -> None:
        """So many runs, each final as it has to be and its rows compared one by one."""
        count = len(numbers)
        self.add(Row(name, count if holds else 0, "runs", f"{count}", holds, measured_with))

    def once(self, name: str, fired: Sequence[Fired], measured_with: str) -> None:
        """Every due time has exactly one run."""
        right = sum(one.runs == 1 for one in fired)
        holds = right == len(fired) > 0
        self.add(Row(name, right, "runs", f"{len(fired)}", holds, measured_with))

    def assert_held(self) -> None:
        missed = [
            f"{row.name}: {row.value} {row.unit}, goal {row.goal}"
            for row in self.rows
            if not row.holds
        ]
        assert not missed, "\n".join(missed)
