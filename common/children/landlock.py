"""Landlock, the Linux kernel's sandbox for unprivileged processes, through its three system calls.

What is not allowed here is refused by the kernel for this process and all it starts, for good.
Where the kernel has no Landlock, and on other systems, ``version()`` is 0.
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

# The same numbers on every architecture: they were added after the tables were unified.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ_RIGHTS = _EXECUTE | _READ_FILE | _READ_DIR

_NET_BIND_TCP, _NET_CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1


class _RulesetAttr(ctypes.Structure):
    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def version() -> int:
    """The ABI version the kernel offers, 0 for none."""
    if sys.platform != "linux":
        return 0
    try:
        answer = _syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0
    return answer


def restrict(readable: Iterable[Path], writable: Iterable[Path], *, network: bool) -> list[str]:
    """Shut this process in; says what is in force. Needs ``no_new_privs`` set before.

    Paths that do not exist are left out. A process with ``network`` may connect but not listen.
    """
    abi = version()
    if abi == 0:
        return []
    handled = _file_rights(abi)
    net = _net_rights(abi, network)
    scoped = _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if abi >= 6 else 0
    attr = _RulesetAttr(handled, net, scoped)
    # Older kernels know a shorter structure; they accept a longer one whose rest is zero.
    ruleset = _syscall(_CREATE_RULESET, ctypes.byref(attr), ctypes.sizeof(attr), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ_RIGHTS & handled)
        for path in writable:
            _allow(ruleset, path, handled & ~(_MAKE_CHAR | _MAKE_BLOCK))
        _syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return _describe(net, scoped)


def _file_rights(abi: int) -> int:
    rights = (1 << 13) - 1
    for since, right in ((2, 1 << 13), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        if abi >= since:
            rights |= right
    return rights


def _net_rights(abi: int, network: bool) -> int:
    if abi < 4:
        return 0
    return _NET_BIND_TCP if network else _NET_BIND_TCP | _NET_CONNECT_TCP


def _describe(net: int, scoped: int) -> list[str]:
    active = ["landlock files"]
    if net:
        active.append("landlock tcp" if net & _NET_CONNECT_TCP else "landlock no listening")
    if scoped:
        active.append("landlock signals")
    return active


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _FILE_RIGHTS
        rule = _PathBeneathAttr(rights, fd)
        _syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(fd)


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(ctypes.c_long(number), *map(_argument, arguments)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _argument(value: object) -> object:
    # Integers would be passed as 32 bits, which leaves rubbish in the upper half of a register.
    return ctypes.c_long(value) if isinstance(value, int) else value
