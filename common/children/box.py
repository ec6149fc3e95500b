"""The box a child shuts itself into before it touches a tenant's data: limits, files, network."""

import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.children import crowd, landlock, listeners

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9
_CLONE_NEWNET = 0x40000000

#: Seconds between SIGXCPU and the kernel's SIGKILL.
_CPU_GRACE = 5

#: What a Python process with TLS, name resolution and shared libraries reads. Not all of /etc:
#: it holds password hashes and keys.
_SYSTEM_READABLE = (
    *("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin"),
    *("/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs"),
    *("/etc/pki/ca-trust/extracted", "/etc/ca-certificates", "/etc/crypto-policies"),
    *("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf"),
    *("/etc/services", "/etc/protocols", "/etc/passwd", "/etc/group", "/etc/krb5.conf"),
    *("/etc/localtime", "/etc/timezone", "/etc/ld.so.cache", "/etc/alternatives"),
    *("/etc/os-release", "/etc/mime.types", "/etc/locale.alias"),
    *("/dev/urandom", "/dev/random", "/dev/zero"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems"),
    *("/proc/sys/vm", "/proc/sys/kernel", "/sys/fs/cgroup", "/sys/devices/system"),
)

#: Semaphores of ``multiprocessing`` (dbt makes some) are files in /dev/shm.
_SYSTEM_WRITABLE = ("/dev/null", "/dev/shm")  # noqa: S108, no file of ours is made there


@dataclass(frozen=True)
class Box:
    """What a child may use. A limit of 0 means none."""

    #: The child's own directory: current directory, home and place for temporary files.
    private_dir: str
    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    memory_mb: int = 6144
    cpu_seconds: int = 0
    #: The largest single file.
    file_mb: int = 0
    open_files: int = 1024
    #: Processes that the child and all it started may be; the warm parent counts and ends them (``crowd``).
    processes: int = 64
    network: bool = True
    #: Ports of 127.0.0.1 bound before the box closes, for tunnels; inside it nothing can be bound.
    loopback_listeners: int = 0
    #: Another user to run as, where the warm parent runs as root. Must be able to read the code.
    uid: int | None = None
    gid: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Box":
        paths = {"writable": tuple(value["writable"]), "readable": tuple(value["readable"])}
        return cls(**{**value, **paths})


@dataclass(frozen=True)
class Protection:
    """One line for ``doctor``: a protection of children, and whether this machine has it."""

    name: str
    active: bool
    detail: str


_TCP_WORDS = "a child may not listen, except on loopback ports it was given for a tunnel"


def apply(box: Box) -> list[str]:
    """Shut this process into the box for good and name what is in force."""
    active = ["limits"] if _limit(box) else []
    active += _prefer_as_oom_victim()
    if box.network and box.loopback_listeners:
        listeners.prepare(box.loopback_listeners)
    if not box.network and _unshare_network():
        active.append("no network")
    if box.uid is not None and os.geteuid() == 0:
        _become(box.uid, box.gid if box.gid is not None else box.uid, box.private_dir)
        active.append("other user")
    # After the change of user, which clears it.
    if die_with_parent():
        active.append("dies with its parent")
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        active.append("no new privileges")
        active += landlock.restrict(_readable(box), _writable(box), network=box.network)
    return active


def active_protections() -> list[Protection]:
    """What this machine can do to shut children in, for ``doctor``; changes nothing."""
    abi = landlock.version()
    linux = sys.platform == "linux"
    return [
        Protection("limits", True, "memory, CPU time, file size and open files of each child"),
        Protection("process group", True, "a child and all it started end together"),
        Protection(
            "processes",
            crowd.can_count(),
            "a child that starts too many processes ends with all of them",
        ),
        Protection(
            "orphans",
            linux,
            "the kernel ends children whose parent died" if linux else "Linux only",
        ),
        Protection("files", abi >= 1, _landlock_words(abi, 1, "a child sees only its own files")),
        Protection("tcp", abi >= 4, _landlock_words(abi, 4, _TCP_WORDS)),
        Protection("signals", abi >= 6, _landlock_words(abi, 6, "a child cannot signal others")),
    ]


def die_with_parent() -> bool:
    """Have the kernel kill this process when its parent ends; False where it cannot."""
    return _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def _landlock_words(abi: int, needed: int, words: str) -> str:
    if abi >= needed:
        return words
    has = f"this kernel offers version {abi}" if abi else "this kernel offers none"
    return f"needs Landlock version {needed}, {has}"


def _limit(box: Box) -> bool:
    megabyte = 1024 * 1024
    wanted = (
        # On top of what the warm parent has mapped: that is shared, and costs this child nothing.
        (resource.RLIMIT_AS, box.memory_mb and box.memory_mb * megabyte + _mapped(), 0),
        (resource.RLIMIT_CPU, box.cpu_seconds, _CPU_GRACE),
        (resource.RLIMIT_FSIZE, box.file_mb * megabyte, 0),
        (resource.RLIMIT_NOFILE, box.open_files, 0),
    )
    # A core dump would write the secrets in memory to disk.
    applied = [_set_limit(resource.RLIMIT_CORE, 0, 0)]
    applied += [_set_limit(kind, value, grace) for kind, value, grace in wanted if value]
    return all(applied)


def _mapped() -> int:
    """Bytes of address space this process has; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _set_limit(kind: int, soft: int, grace: int) -> bool:
    hardest = resource.getrlimit(kind)[1]
    hard = soft + grace
    if hardest != resource.RLIM_INFINITY:
        hard, soft = min(hard, hardest), min(soft, hardest)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (OSError, ValueError):  # macOS refuses a limit on the address space
        return False
    return True


def _prefer_as_oom_victim() -> list[str]:
    """Where the machine runs out of memory, a child goes before the worker or the database."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError:
        return []
    return ["first to go without memory"]


def _unshare_network() -> bool:
    """An empty network namespace; needs root. Landlock refuses TCP where this cannot."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.unshare(_CLONE_NEWNET)) == 0


def _become(uid: int, gid: int, private_dir: str) -> None:
    os.chown(private_dir, uid, gid)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _prctl(option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    unused = (ctypes.c_ulong(0),) * 3
    return int(libc.prctl(option, ctypes.c_ulong(value), *unused)) == 0


def _readable(box: Box) -> Iterator[Path]:
    yield from map(Path, _SYSTEM_READABLE)
    yield from map(Path, box.readable)
    yield from _code()
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if name in os.environ:
            yield Path(os.environ[name])


def _writable(box: Box) -> Iterator[Path]:
    yield from map(Path, _SYSTEM_WRITABLE)
    yield Path(box.private_dir)
    yield from map(Path, box.writable)


@lru_cache(maxsize=1)
def _code() -> tuple[Path, ...]:
    """The interpreter, its libraries and our packages; looked for once, before the first fork.

    Not the directory the packages lie in: ``.env`` and the data may be beside them.
    """
    root = Path(__file__).resolve().parents[2]
    return (
        *{Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)},
        *(found.parent for found in root.glob("*/__init__.py")),
        *(Path(entry) for entry in sys.path if entry and Path(entry) != root),
    )


def prepare_before_fork() -> None:
    """For a warm parent: what ``apply`` would find out in each child."""
    _code()
    landlock.version()
