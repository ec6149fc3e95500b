"""Directories that appear at once or not at all."""

import ctypes
import errno
import os
import shutil
import sys
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
#: The kernel or the file system has no such thing.
_UNKNOWN = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})


def settled(directory: Path) -> None:
    """Have the system write a directory and its files down, so that a power cut loses none of them."""
    for path in directory.rglob("*"):
        _sync(path)
    _sync(directory)


def moved(new: Path, place: Path) -> None:
    """Give a directory its place, where there is none yet."""
    new.rename(place)
    _sync(place.parent)


def exchanged(new: Path, place: Path, old: Path) -> None:
    """``new`` in the place of a directory, in one step where the system has it.

    ``old`` must not be there; where it is afterwards, ``restored`` puts right what a crash left half done.
    """
    if _exchange(new, place):
        _sync(place.parent)
        shutil.rmtree(new)
        return
    place.rename(old)
    new.rename(place)
    _sync(place.parent)
    shutil.rmtree(old)


def restored(old: Path, place: Path) -> None:
    """Put back what an exchange in two steps had put aside, or take it away where the second was done."""
    if place.exists():
        shutil.rmtree(old)
    else:
        old.rename(place)


def _exchange(one: Path, other: Path) -> bool:
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    paths = os.fsencode(one), os.fsencode(other)
    if not rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
