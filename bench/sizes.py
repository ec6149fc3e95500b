"""How much is measured, from the environment.

BENCH_ROWS    rows of the table (1,000,000)
BENCH_BIG=1   also five times as many
BENCH_ROUNDS  rounds in turn (3; what is small takes two more)
BENCH_PEERS=0 leaves other tools out
BENCH_TABLES  tables of the whole-database load (500)
"""

import os


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, "").replace("_", "") or default)


ROWS = _number("BENCH_ROWS", 1_000_000)
SIZES = (ROWS, 5 * ROWS) if os.environ.get("BENCH_BIG") == "1" else (ROWS,)
ROUNDS = _number("BENCH_ROUNDS", 3)
TABLES = _number("BENCH_TABLES", 500)
#: dlt's defaults take minutes for a million rows; its time is compared row by row.
DLT_ROWS = min(ROWS, 100_000)
