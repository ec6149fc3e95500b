"""Finds, starts and ends the servers that ``scripts/services.py`` keeps: one function a kind.

Standard library only, because it runs before any virtual environment exists.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 15.0
EXTRA_BINARY_GLOBS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/opt/homebrew/opt/redis/bin",
    "/opt/homebrew/opt/mariadb/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
)
PACKAGES = {
    "postgres": ("postgresql", "postgresql"),
    "redis": ("redis-server", "redis"),
    "mariadb": ("mariadb-server", "mariadb"),
}


class ServiceUnavailable(Exception):
    """A server cannot be had here; the message says why and what to install."""


@dataclasses.dataclass(frozen=True)
class Server:
    """One running private server. ``url`` is what a client needs to reach it."""

    kind: str
    port: int
    password: str
    pid: int
    directory: str
    # The process the server belongs to; when it is gone the server is swept. 0: until stopped.
    owner_pid: int = 0
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """The URL of the server's administrator, naming its default database."""
        return self.url_of({"postgres": "postgres", "redis": "0", "mariadb": "mysql"}[self.kind])

    def url_of(self, database: str) -> str:
        """The URL of one database of the server."""
        scheme, user = {
            "postgres": ("postgresql", "datanika"),
            "redis": ("redis", ""),
            "mariadb": ("mysql", "datanika"),
        }[self.kind]
        return f"{scheme}://{user}:{self.password}@{self.host}:{self.port}/{database}"


# Finding and installing --------------------------------------------------------------------------


def find_binary(*names: str) -> str | None:
    """The first of the named programs found on PATH or where packages put servers."""
    directories = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    for pattern in EXTRA_BINARY_GLOBS:
        # Reversed, so that the newest version of several comes first.
        found = Path("/").glob(pattern.lstrip("/"))
        directories += sorted(found, key=_version_key, reverse=True)
    for name in names:
        for directory in directories:
            candidate = directory / name
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return str(candidate)
    return None


def _version_key(path: Path) -> tuple[int, str]:
    digits = "".join(character for character in str(path) if character.isdigit())
    return int(digits or 0), str(path)


def _require(kind: str, *names: str) -> str:
    binary = find_binary(*names)
    if binary is None and _may_install():
        _install(kind)
        binary = find_binary(*names)
    if binary is None:
        raise ServiceUnavailable(_missing_sentence(kind, names[0]))
    return binary


def _may_install() -> bool:
    return (
        os.environ.get("DATANIKA_INSTALL_SERVICES") == "1"
        and os.geteuid() == 0
        and shutil.which("apt-get") is not None
    )


def _install(kind: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Without this Debian would start a system-wide server beside the private one.
    environment["RUNLEVEL"] = "1"
    package = PACKAGES[kind][0]
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            words = done.stderr.strip().splitlines()
            raise ServiceUnavailable(
                f"{package} could not be installed: {words[-1] if words else 'apt-get failed'}"
            )


def _missing_sentence(kind: str, program: str) -> str:
    debian, homebrew = PACKAGES[kind]
    if sys.platform == "darwin":
        remedy = f"install it with `brew install {homebrew}`"
    else:
        remedy = f"install the package {debian} (Debian and Ubuntu) or put {program} on PATH"
    return f"There is no {kind} server on this machine ({program} was not found): {remedy}."


# Directories, ports, users -----------------------------------------------------------------------


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Whom to run a server as: PostgreSQL refuses root. ``None`` means as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServiceUnavailable(
        "A database server does not run as root and there is no user postgres or nobody here."
    )


def _new_directory(kind: str) -> tuple[Path, pwd.struct_passwd | None]:
    """A fresh directory in the system's temporary one.

    There, and not below the project, because the unprivileged user must be able to walk to it
    and a unix socket's path may not be longer than about a hundred characters.
    """
    user = _unprivileged_user()
    directory = Path(tempfile.mkdtemp(prefix=f"datanika-{kind}-"))
    if user is not None:
        os.chown(directory, user.pw_uid, user.pw_gid)
    return directory, user


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """Only what a server needs: nothing of ours may end up in another user's process."""
    kept = ("PATH", "TZ", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def _run_as(
    user: pwd.struct_passwd | None, directory: Path, arguments: Sequence[str], what: str
) -> None:
    done = subprocess.run(
        arguments,
        cwd=directory,
        env=_environment(),
        capture_output=True,
        text=True,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ServiceUnavailable(f"{what} failed: {words[-1] if words else done.returncode}")


def _launch(
    user: pwd.struct_passwd | None, directory: Path, arguments: Sequence[str]
) -> subprocess.Popen[bytes]:
    with (directory / "server.log").open("ab") as log:
        return subprocess.Popen(
            arguments,
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A session of its own, so that Ctrl-C in the terminal reaches the tests first.
            start_new_session=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )


def _wait_until_ready(
    kind: str, process: subprocess.Popen[bytes], directory: Path, ready: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if ready():
            return
        time.sleep(0.05)
    if process.poll() is None:
        process.kill()
        process.wait()
    lines = (directory / "server.log").read_text(errors="replace").strip().splitlines()
    shutil.rmtree(directory, ignore_errors=True)
    said = lines[-1] if lines else "it said nothing"
    raise ServiceUnavailable(f"The {kind} server did not start: {said}")


# The three servers -------------------------------------------------------------------------------


def start_postgres(*, owner_pid: int = 0) -> Server:
    """Start a private PostgreSQL server, or raise ``ServiceUnavailable`` with the reason."""
    initdb = _require("postgres", "initdb")
    # Both programs must be of one version; the one beside initdb is.
    beside = Path(initdb).resolve().with_name("postgres")
    postgres = str(beside) if beside.is_file() else _require("postgres", "postgres")
    directory, user = _new_directory("postgres")
    password, port = secrets.token_hex(16), _free_port()
    password_file = directory / "password"
    password_file.write_text(password)
    if user is not None:
        os.chown(password_file, user.pw_uid, user.pw_gid)
    data = directory / "data"
    _run_as(
        user,
        directory,
        [initdb, "-D", str(data), "-U", "datanika", "--pwfile", str(password_file)]
        + ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"],
        "initdb",
    )
    password_file.unlink()
    options = {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "autovacuum_naptime": "10min",
        "timezone": "UTC",
        "log_min_messages": "warning",
    }
    arguments = [postgres, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k"]
    arguments.append(str(directory))
    for name, value in options.items():
        arguments += ["-c", f"{name}={value}"]
    process = _launch(user, directory, arguments)

    def ready() -> bool:
        # The eighth line of the pid file becomes "ready" when connections are accepted.
        with contextlib.suppress(OSError):
            lines = (data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    _wait_until_ready("postgres", process, directory, ready)
    return Server("postgres", port, password, process.pid, str(directory), owner_pid)


def start_redis(*, owner_pid: int = 0) -> Server:
    """Start a private Redis server, or raise ``ServiceUnavailable`` with the reason."""
    binary = _require("redis", "redis-server", "valkey-server")
    directory, user = _new_directory("redis")
    password, port = secrets.token_hex(16), _free_port()
    # In a file, because arguments can be read by everyone on the machine.
    configuration = directory / "redis.conf"
    configuration.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n'
        f"dir {directory}\ndaemonize no\n"
    )
    configuration.chmod(0o600)
    if user is not None:
        os.chown(configuration, user.pw_uid, user.pw_gid)
    process = _launch(user, directory, [binary, str(configuration)])

    def ready() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as peer:
            peer.sendall(f"AUTH {password}\r\n".encode())
            return peer.recv(16).startswith(b"+OK")
        return False

    _wait_until_ready("redis", process, directory, ready)
    return Server("redis", port, password, process.pid, str(directory), owner_pid)


def start_mariadb(*, owner_pid: int = 0, options: Sequence[str] = ()) -> Server:
    """Start a private MariaDB server, or raise ``ServiceUnavailable`` with the reason."""
    binary = _require("mariadb", "mariadbd", "mysqld")
    install = _require("mariadb", "mariadb-install-db", "mysql_install_db")
    directory, user = _new_directory("mariadb")
    password, port = secrets.token_hex(16), _free_port()
    data, socket_path = directory / "data", directory / "server.sock"
    # --no-defaults: the machine's own configuration names directories that are not ours.
    _run_as(
        user,
        directory,
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
        + ["--skip-test-db", "--skip-name-resolve"],
        "mariadb-install-db",
    )
    account = directory / "account.sql"
    account.write_text(
        f"CREATE USER 'datanika'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO 'datanika'@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    account.chmod(0o600)
    if user is not None:
        os.chown(account, user.pw_uid, user.pw_gid)
    process = _launch(
        user,
        directory,
        [binary, "--no-defaults", f"--datadir={data}", f"--socket={socket_path}"]
        + [f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve"]
        + [f"--init-file={account}", "--innodb-flush-log-at-trx-commit=0"]
        + ["--innodb-buffer-pool-size=32M", "--character-set-server=utf8mb4"]
        # Of its own: a server that starts clears the temporary tables of all others out of a shared one.
        + [f"--tmpdir={directory}", f"--pid-file={directory / 'server.pid'}"]
        + ["--local-infile=ON", *options],
    )

    def ready() -> bool:
        # The greeting of the protocol comes when clients are served, after the init file.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as peer:
            return len(peer.recv(5)) > 4
        return False

    _wait_until_ready("mariadb", process, directory, ready)
    return Server("mariadb", port, password, process.pid, str(directory), owner_pid)


START: dict[str, Callable[..., Server]] = {
    "postgres": start_postgres,
    "redis": start_redis,
    "mariadb": start_mariadb,
}


# Ending ------------------------------------------------------------------------------------------


def stop(server: Server) -> None:
    """End one server by its pid and remove its directory."""
    # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
    gentle = signal.SIGINT if server.kind == "postgres" else signal.SIGTERM
    for number in (gentle, signal.SIGKILL):
        if not is_running(server):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while is_running(server) and time.monotonic() < deadline:
            time.sleep(0.05)
    shutil.rmtree(server.directory, ignore_errors=True)


def is_running(server: Server) -> bool:
    """Whether the pid is alive and still this server: its directory stands with its log in it."""
    with contextlib.suppress(ChildProcessError):
        # Our own child stays a zombie until somebody looks.
        if os.waitpid(server.pid, os.WNOHANG)[0] == server.pid:
            return False
    with contextlib.suppress(OSError):
        # Somebody else's zombie: ended, but its parent is slow to look.
        if Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
    try:
        os.kill(server.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return (Path(server.directory) / "server.log").exists()
