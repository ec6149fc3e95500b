"""From an exception in a child to the ``error`` event a person can act on."""

import errno
import os
import sys
import traceback
from typing import Any

from common.errors import DatanikaError
from common.signatures import causes_of, signature_of, signature_of_class

#: Enough to see where it happened; the whole chain of a library would bury it.
_DETAIL_LINES = 12

_OUT_OF_MEMORY_NAMES = frozenset({"OutOfMemoryException", "OutOfMemoryError"})


class OutOfMemory(DatanikaError):
    """The work needed more memory than it may take."""

    code = "out_of_memory"


class DiskFull(DatanikaError):
    """The disk is full, so the data could not be written."""

    code = "disk_full"


_DISK_ERRORS = {
    errno.ENOSPC: DiskFull(remedy="Free some space on the disk of the worker, then run again."),
    errno.EDQUOT: DiskFull(
        "The disk quota is used up, so the data could not be written.",
        remedy="Free some space or have the quota raised, then run again.",
    ),
    errno.EFBIG: DiskFull(
        "A file would have grown beyond the largest size one child may write.",
        remedy="Load less at a time, or have an operator raise the file size limit.",
    ),
}


def error_event(error: BaseException) -> dict[str, Any]:
    """The ``error`` event for whatever ended an entry point.

    Libraries wrap what went wrong, so the causes are looked through for an error that says more.
    """
    for cause in causes_of(error):
        known = _known(cause)
        if known is not None:
            event = known.as_event()
            event["detail"] = event["detail"] or ("" if known is cause else one_line(cause))
            event["signature"] = event["signature"] or signature_of(cause)
            return event
    unknown = DatanikaError(
        f"The work stopped at an unexpected error, {type(error).__name__}.",
        remedy="The detail names the place; an operator or the project's issue list can help.",
        detail=traceback_tail(error),
    )
    unknown.signature = signature_of(error) or signature_of_class(error)
    return unknown.as_event()


def one_line(error: BaseException) -> str:
    """The exception as one line without install paths."""
    words = " ".join(str(error).split())
    return _without_paths(f"{type(error).__name__}: {words}" if words else type(error).__name__)


def traceback_tail(error: BaseException) -> str:
    """The last lines of the traceback, file names relative to where packages are installed."""
    text = _without_paths("".join(traceback.format_exception(error)))
    return "\n".join(text.rstrip().splitlines()[-_DETAIL_LINES:])


def _known(error: BaseException) -> DatanikaError | None:
    if isinstance(error, DatanikaError):
        return error
    if isinstance(error, MemoryError) or type(error).__name__ in _OUT_OF_MEMORY_NAMES:
        return OutOfMemory(
            remedy="Load less at a time, or have an operator raise the memory limit."
        )
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return _DISK_ERRORS[error.errno]
    return None


def _without_paths(text: str) -> str:
    places = {entry for entry in (*sys.path, sys.prefix, sys.base_prefix) if len(entry) > 1}
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(place.rstrip(os.sep) + os.sep, "")
    return text
