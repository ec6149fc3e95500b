"""The engine's load with a death in it: imported by the child that is to die.

The engine knows nothing of it. The death hangs on the events, which leave the child the same way as ever.
"""

import os
import signal
import threading
from typing import Any

from pipelines.engine import main
from pipelines.engine.events import Emit
from pipelines.tests.chaos.phases import phase_of


def load(spec: dict[str, Any], emit: Emit) -> None:
    """``pipelines.engine.main:load``. ``spec["death"]``: {"phase", "nth", "wait"} or None."""
    death = spec.pop("death", None)
    main.load(spec, _dying(emit, death) if death else emit)


def _dying(emit: Emit, death: dict[str, Any]) -> Emit:
    left = int(death["nth"])

    def emit_and_die(event: dict[str, Any]) -> None:
        nonlocal left
        emit(event)
        if phase_of(event) != death["phase"]:
            return
        left -= 1
        if left == 0:
            _die(float(death["wait"]))

    return emit_and_die


def _die(wait: float) -> None:
    """SIGKILL for this process and all it started: at this very place, or a moment further on."""
    if not wait:
        os.killpg(os.getpgrp(), signal.SIGKILL)
    threading.Timer(wait, os.killpg, (os.getpgrp(), signal.SIGKILL)).start()
