"""Competitors in turn (A B C A B C …), each result checked; medians, and ratios round by round."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.lineitem import Fingerprint, rows_text
from bench.measure import Measured
from bench.report import say


class WrongResult(AssertionError):
    """A run of ours loaded something else than the source holds."""


@dataclass(frozen=True)
class Competitor:
    """Somebody who moves ``rows`` rows: ``empty`` the destination, ``run``, then ``found`` must be ``truth``."""

    name: str
    version: str
    rows: int
    empty: Callable[[], None]
    run: Callable[[], Measured]
    found: Callable[[], Fingerprint]
    truth: Fingerprint
    #: Of a peer a wrong result voids its number; of ours it is an error.
    is_ours: bool = False


@dataclass
class Standing:
    """What a competitor reached, round by round; None where the result was wrong or it failed."""

    competitor: Competitor
    rounds: list[Measured | None] = field(default_factory=list)
    fault: str = ""

    @property
    def valid(self) -> list[Measured]:
        return [measured for measured in self.rounds if measured is not None]

    @property
    def seconds(self) -> float:
        return self.median(lambda measured: measured.seconds)

    @property
    def peak_mb(self) -> float:
        return max((measured.peak_mb for measured in self.valid), default=0.0)

    def median(self, of: Callable[[Measured], float]) -> float:
        return statistics.median(map(of, self.valid)) if self.valid else float("nan")

    def ratio_to(self, other: "Standing") -> float:
        """Time per row against the other's, as the median of the rounds both have; NaN for none."""
        pairs = [
            (mine.seconds / self.competitor.rows) / (its.seconds / other.competitor.rows)
            for mine, its in zip(self.rounds, other.rounds, strict=True)
            if mine is not None and its is not None
        ]
        return statistics.median(pairs) if pairs else float("nan")


def in_turn(competitors: Sequence[Competitor], rounds: int) -> list[Standing]:
    """Every competitor once a round, into an empty destination each time."""
    standings = [Standing(competitor) for competitor in competitors]
    for _ in range(rounds):
        for standing in standings:
            standing.rounds.append(_once(standing))
    return standings


def _once(standing: Standing) -> Measured | None:
    competitor = standing.competitor
    competitor.empty()
    try:
        measured = competitor.run()
    except PeerFailed as error:
        standing.fault = str(error)
        return None
    found = competitor.found()
    if found == competitor.truth:
        return measured
    standing.fault = f"wrong result: {found} for {competitor.truth}"
    if competitor.is_ours:
        raise WrongResult(f"{competitor.name}: {standing.fault}")
    return None


class PeerFailed(Exception):
    """A competitor that is not ours ended with an error."""


def print_table(title: str, standings: Sequence[Standing]) -> None:
    """All competitors, the ratio to the first one, and why a number is missing."""
    base = standings[0]
    say(f"\n{title}, {len(base.rounds)} rounds in turn")
    say(
        f"  {'':40} {'rows':>5} {'median s':>9} {'from–to':>13} {'rows/s':>9} {'ratio':>6}"
        f" {'cpu s':>6} {'server':>6} {'peak MB':>7}"
    )
    for standing in standings:
        say(f"  {_line(standing, base)}")
        if standing.fault:
            say(f"      {standing.fault[:300]}")


def _line(standing: Standing, base: Standing) -> str:
    competitor, valid = standing.competitor, standing.valid
    name = f"{competitor.name} ({competitor.version})" if competitor.version else competitor.name
    if not valid:
        return f"{name[:40]:40} {rows_text(competitor.rows):>5}      void"
    times = [measured.seconds for measured in valid]
    spread = f"{min(times):.2f}–{max(times):.2f}"
    return (
        f"{name[:40]:40} {rows_text(competitor.rows):>5} {standing.seconds:9.2f} {spread:>13}"
        f" {competitor.rows / standing.seconds:9,.0f} {standing.ratio_to(base):6.2f}"
        f" {standing.median(lambda one: one.client_cpu):6.2f}"
        f" {standing.median(lambda one: one.server_cpu):6.2f} {standing.peak_mb:7.0f}"
    )
