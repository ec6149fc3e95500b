"""A private sshd with its own keys, for the tests of the tunnel."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

PASSPHRASE = "a long passphrase"
_START_SECONDS = 10.0


@dataclass
class SshServer:
    """Where it listens, its host key line, and the private keys it lets in, by what they may do."""

    port: int
    host_key: str
    rsa_host_key: str
    keys: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path
    user: str = field(default_factory=getpass.getuser)

    def settings(self, key: str = "all", **changes: Any) -> dict[str, Any]:
        """Form values of a tunnel through it, secrets among them."""
        return {
            "use_tunnel": True,
            "ssh_host": "127.0.0.1",
            "ssh_port": self.port,
            "ssh_user": self.user,
            "ssh_private_key": self.keys[key],
            "ssh_host_key": self.host_key,
            **changes,
        }

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def binary() -> str | None:
    """The sshd of this machine; it insists on being started by its full path."""
    return shutil.which("sshd", path=os.pathsep.join((os.environ["PATH"], "/usr/sbin")))


def start(directory: Path) -> SshServer:
    """Start one on a free port. ``directory`` must be fresh."""
    program = binary()
    assert program is not None
    host = ed25519.Ed25519PrivateKey.generate()
    host_rsa = rsa.generate_private_key(65537, 2048)
    for name, key in (("host", host), ("host_rsa", host_rsa)):
        path = directory / name
        path.write_text(_private(key))
        path.chmod(0o600)
    people = {name: ed25519.Ed25519PrivateKey.generate() for name in ("all", "none", "locked")}
    restrictions = {"none": "no-port-forwarding "}
    allowed = [f"{restrictions.get(n, '')}{_public(k)}" for n, k in people.items()]
    (directory / "authorized_keys").write_text("\n".join(allowed) + "\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    configuration = directory / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"HostKey {directory}/host\nHostKey {directory}/host_rsa\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\n"
        "PasswordAuthentication yes\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        "AllowTcpForwarding yes\nMaxStartups 100\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = directory / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(configuration)], stdout=sink, stderr=sink
        )
    _wait(port, process, log)
    keys = {name: _private(key) for name, key in people.items()}
    keys["locked"] = _private(people["locked"], PASSPHRASE)
    return SshServer(port, _public(host), _public(host_rsa), keys, process, log)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError(log.read_text())


def _private(key: Any, passphrase: str = "") -> str:
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        how = serialization.BestAvailableEncryption(passphrase.encode())
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, how
    )
    return text.decode()


def _public(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return text.decode()
