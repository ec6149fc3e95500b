"""The ``error`` event of a child that ended without a last word of its own."""

import signal
from typing import Any

from common.errors import DatanikaError, TransientError


class ChildCrashed(DatanikaError):
    """The process ended without saying why."""

    code = "child_crashed"


class ChildLost(TransientError):
    """The process was ended by the system."""

    code = "child_crashed"


class ChildStopped(DatanikaError):
    """The process was stopped before it was done."""

    code = "cancelled"


class ChildTimedOut(TransientError):
    """The operation took too long and was stopped."""

    code = "timed_out"


class TooManyProcesses(DatanikaError):
    """The work started more processes than it may, and was stopped with all of them."""

    code = "too_many_processes"


class AnswerTooLarge(DatanikaError):
    """The process sent one message larger than is accepted, and was stopped."""

    code = "answer_too_large"


CROWD_REMEDY = (
    "Nothing Datanika does itself needs so many: look at what was run, and tell the operator."
)

_CAUSES = {
    signal.SIGSEGV: "a fault in a native library",
    signal.SIGBUS: "a fault in a native library, or a full disk",
    signal.SIGABRT: "a native library that gave up, often for lack of memory",
    signal.SIGILL: "a native library built for another processor",
}


def ending_event(exit_code: int | None, *, stopped_by_us: bool, detail: str) -> dict[str, Any]:
    """What to say of a child that ended with neither ``done`` nor ``error``.

    ``exit_code`` is negative for a signal, and None where the warm parent died with the child.
    """
    error = _ending(exit_code, stopped_by_us, detail)
    how = "stopped" if stopped_by_us else "lost" if exit_code is None else str(exit_code)
    error.signature = f"exit:{how}"
    return error.as_event()


def _ending(exit_code: int | None, stopped_by_us: bool, detail: str) -> DatanikaError:
    if stopped_by_us:
        return ChildStopped()
    if exit_code is None:
        return ChildLost(
            "The process was ended by the system together with the one it was started from.",
            remedy="It is tried again; if it happens often, look at the memory of the machine.",
            detail=detail,
        )
    if exit_code >= 0:
        return ChildCrashed(
            f"The process ended with exit code {exit_code} without saying why.",
            remedy="The detail shows the last lines it wrote.",
            detail=detail,
        )
    return _killed(signal.Signals(-exit_code), detail)


def _killed(number: signal.Signals, detail: str) -> DatanikaError:
    if number is signal.SIGKILL:
        return ChildLost(
            "The process was ended by the system (signal 9), likely for lack of memory.",
            remedy="It is tried again; if it happens often, give the worker more memory.",
            detail=detail,
        )
    if number is signal.SIGXCPU:
        return ChildCrashed(
            "The work used up the CPU time it may take.",
            remedy="Load less at a time, or have an operator raise the CPU time limit.",
            detail=detail,
        )
    cause = _CAUSES.get(number)
    because = f", {cause}" if cause else ""
    return ChildCrashed(
        f"The process was ended by signal {number.value} ({number.name}){because}.",
        remedy="The detail shows the last lines it wrote.",
        detail=detail,
    )
