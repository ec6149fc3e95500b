"""Airflow, Dagster and Prefect beside us: their numbers from ``orch-bench``, a driver outside of this repository.

``BENCH_ORCHESTRATORS=airflow,dagster,prefect`` and ``BENCH_ORCH_DIR=<its directory>`` switch it on. It installs each
peer with its own ``install.sh`` on first use (minutes, and the network).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.report import BUILD, report, say, shown

#: Test of the driver → the values of its rows that have a counterpart here.
TESTS = {
    "trigger": {"first_p50": "first line p50", "first_p95": "first line p95",
                "finished_p50": "finished p50", "finished_p95": "finished p95"},
    "steps": {"wall": "steps, wall"},
    "idle": {"pss_mb": "idle memory, PSS"},
    "start": {"healthy_s": "first start to healthy"},
}  # fmt: skip
_HOURS = 3600.0


def peers() -> list[str]:
    return [name for name in os.environ.get("BENCH_ORCHESTRATORS", "").split(",") if name]


def measure() -> None:
    """Run the driver for each wanted peer, in turn, and print its numbers as rows without a goal."""
    directory = Path(os.environ["BENCH_ORCH_DIR"])
    lab = BUILD / "orchestrators"
    lab.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "ORCHLAB": str(lab)}
    for peer in peers():
        if not (lab / "inst" / peer).exists():
            say(f"Installing {peer}.")
            _run(["bash", str(directory / "install.sh"), peer], environment)
        done = len(_rows(lab))
        _run([sys.executable, str(directory / "bench.py"), peer, *TESTS], environment)
        for row in _rows(lab)[done:]:
            for name, value, unit in _values(row):
                report("bench", shown(f"{peer}: {name}", value, unit, f"orch-bench, {row['test']}"))


def _run(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(command, env=environment, check=True, timeout=_HOURS)


def _rows(lab: Path) -> list[dict[str, Any]]:
    file = lab / "results.jsonl"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def _values(row: dict[str, Any]) -> Iterator[tuple[str, float, str]]:
    for test, names in TESTS.items():
        if not str(row["test"]).startswith(test) or "warmup" in str(row["test"]):
            continue
        for key, name in names.items():
            if isinstance(row.get(key), int | float):
                unit = "MB" if key.endswith("_mb") else "s"
                shape = str(row["test"]).removeprefix(test).strip("_")
                yield f"{name} {shape}".strip(), float(row[key]), unit
