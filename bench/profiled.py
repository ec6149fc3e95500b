"""The engine's load with a profiler around it, for the numbers that miss their goal."""

import cProfile
import io
import pstats
from collections.abc import Callable
from typing import Any

from pipelines.engine.main import load

LINES = 40


def run(spec: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> None:
    """As ``pipelines.engine.main:load``; before its end comes a ``data`` event with the profile as text.

    Only the main thread of Python is seen: time spent in DuckDB or waiting for another thread is
    one line.
    """
    profiler = cProfile.Profile()
    last: list[dict[str, Any]] = []

    def hold_back_the_end(event: dict[str, Any]) -> None:
        if event["event"] == "done":
            last.append(event)
        else:
            emit(event)

    profiler.runcall(load, spec, hold_back_the_end)
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(LINES)
    emit({"event": "data", "value": text.getvalue()})
    for event in last:
        emit(event)
