"""Machines as far as the kernel can make them: own name, network, processes and disk, joined by a switch.

Nothing is shared but the installed code: every machine finds its own disk at one path. A cable can be pulled,
the power cut, everything frozen.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from datanika_site.tests.chaos.processes import (
    SECONDS,
    Started,
    die_with_us,
    first_child,
    start,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ("unshare", "nsenter", "ip", "mount")
#: The first process of a machine: buries whoever lost its parent, and lives until the power is cut.
_INIT = """
hostname "$1" || exit 1
{mount} || exit 1
ip link set lo up
touch "$2/.up"
trap : TERM INT
while :; do sleep 0.2 & wait $!; done
"""


def missing() -> str:
    """Why there can be no machines here; empty where there can."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0 or absent:
        return f"machines need root and {', '.join(absent or TOOLS)}"
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True)
    return "" if tried.returncode == 0 else "namespaces are not allowed here"


@dataclass
class Network:
    """A switch with an address of this side, at which the servers listen."""

    name: str = field(default_factory=lambda: f"dnk{os.getpid() % 100_000}")
    _ports: int = 0

    def __post_init__(self) -> None:
        self.prefix = _free_prefix()
        self.address = f"{self.prefix}.1"
        ip("link", "add", self.name, "type", "bridge")
        ip("addr", "add", f"{self.address}/24", "dev", self.name)
        ip("link", "set", self.name, "up")

    def join(self, pid: int) -> str:
        """Plug the machine of this process in; the name of its cable."""
        self._ports += 1
        ours, theirs = f"{self.name}-{self._ports}", f"{self.name}p{self._ports}"
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", str(pid))
        ip("link", "set", ours, "master", self.name)
        ip("link", "set", ours, "up")
        inside = ["nsenter", "--target", str(pid), "--net", "ip"]
        address = f"{self.prefix}.{self._ports + 10}/24"
        for words in (["addr", "add", address, "dev", theirs], ["link", "set", theirs, "up"]):
            subprocess.run([*inside, *words], check=True)
        return ours

    def close(self) -> None:
        ip("link", "del", self.name)


class Machine:
    """``disk_mb`` above 0 gives it a disk of that size, which is empty again after a power cut."""

    def __init__(self, network: Network, name: str, directory: Path, *, disk_mb: int = 0) -> None:
        self.network, self.name, self.disk_mb = network, name, disk_mb
        self.directory = directory
        #: Its disk as we see it; at ``mounted`` as it does itself.
        self.own = directory / "machines" / name
        self.mounted = directory / "disk"
        self.logs = directory / "logs"
        for path in (self.own, self.mounted, self.logs):
            path.mkdir(parents=True, exist_ok=True)
        self._count = 0
        self.started: list[Started] = []
        self.power_on()

    def power_on(self) -> None:
        for up in (self.own / ".up", self.mounted / ".up"):
            up.unlink(missing_ok=True)
        mount = 'mount --bind "$3" "$2"'
        if self.disk_mb:
            mount = f'mount -t tmpfs -o size={self.disk_mb}m tmpfs "$2"'
        script = _INIT.format(mount=mount)
        arguments = ["-c", script, "init", self.name, str(self.mounted), str(self.own)]
        with (self.logs / f"{self.name}.log").open("ab") as log:
            self._holder = subprocess.Popen(
                ["unshare", *("--uts", "--ipc", "--net", "--pid", "--mount", "--fork")]
                + ["--kill-child", "--mount-proc", "sh", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_us,  # noqa: PLW1509 - nothing but a system call
            )
        self.init = first_child(self._holder)
        self._pids = os.readlink(f"/proc/{self.init}/ns/pid")
        inside = self.inside()
        wait_until((inside / ".up").exists, f"the machine {self.name} is up", 10)
        self.cable = self.network.join(self.init)

    @property
    def is_on(self) -> bool:
        return self._holder.poll() is None

    def inside(self) -> Path:
        """The disk of the running machine as its own processes see it."""
        return Path("/proc", str(self.init), "root", *self.mounted.parts[1:])

    def run(self, name: str, command: Sequence[str], env: dict[str, str]) -> Started:
        self._count += 1
        enter = ["nsenter", "--target", str(self.init), "--all"]
        inside = ["sh", "-c", 'cd "$0" && exec "$@"', str(ROOT), *command]
        started = start(
            f"{name} on {self.name}",
            [*enter, *inside],
            env=env | {"DATANIKA_DATA_DIR": str(self.mounted)},
            cwd=ROOT,
            log=self.logs / f"{self.name}-{self._count}-{name}.log",
            carried=True,
        )
        self.started.append(started)
        return started

    def processes(self) -> list[psutil.Process]:
        """Everything alive on it but its first process and what that waits for."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if os.readlink(f"/proc/{process.pid}/ns/pid") != self._pids:
                    continue
                if process.pid == self.init or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.name() == "sleep" and process.ppid() == self.init:
                    continue
                found.append(process)
        return found

    def signal_all(self, number: signal.Signals) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def freeze(self) -> None:
        """As a virtual machine that is paused."""
        self.signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal_all(signal.SIGCONT)
        self._wake_carriers()

    def _wake_carriers(self) -> None:
        """What carried a process here stops with it."""
        for started in self.started:
            if started.is_up:
                started.handle.send_signal(signal.SIGCONT)

    def pull_cable(self) -> None:
        ip("link", "set", self.cable, "down")

    def plug_in(self) -> None:
        ip("link", "set", self.cable, "up")

    def cut_power(self) -> None:
        """Everything on the machine ends at once, and nobody on the network is told."""
        self.pull_cable()
        os.kill(self.init, signal.SIGKILL)
        self._bury()

    def _bury(self) -> None:
        self._holder.wait(SECONDS)
        self._wake_carriers()
        for started in self.started:
            started.handle.wait(SECONDS)
        self.started.clear()

    def end(self) -> None:
        """Stop what runs on it in order, all at once; the machine stays."""
        for started in self.started:
            started.signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        for started in self.started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.handle.wait(max(0.1, deadline - time.monotonic()))
        for started in self.started:
            started.end(5)
        self.started.clear()

    def close(self) -> None:
        if self.is_on:
            os.kill(self.init, signal.SIGKILL)
            self._bury()


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _free_prefix() -> str:
    """A /24 of private addresses that no interface of this machine is in."""
    taken = {
        address.address.rpartition(".")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    }
    start_at = os.getpid() % 200
    for number in range(200):
        prefix = f"10.213.{(start_at + number) % 200 + 1}"
        if prefix not in taken:
            return prefix
    raise AssertionError("Every network of 10.213 is taken.")
