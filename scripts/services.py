#!/usr/bin/env python3
"""Private PostgreSQL, Redis and MariaDB servers for tests, from the binaries of this machine.

    python scripts/services.py start postgres     starts one and prints its URL
    python scripts/services.py url postgres       prints the URL of the one running
    python scripts/services.py stop               ends everything started from this directory

Each server listens on a free loopback port, keeps its files in a directory of its own and asks
for a random password. Durability is off: a test server that loses power has lost nothing.
Standard library only, because it runs before any virtual environment exists.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if not __package__:
    # Started as a file, when only the directory of the file is searched.
    sys.path.insert(0, str(ROOT))

from scripts.local_servers import START, Server, ServiceUnavailable, is_running, stop  # noqa: E402

__all__ = ["Server", "ServiceUnavailable", "ensure", "main", "stop_all"]

STATE_DIRECTORY = ROOT / "build" / "services"


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _read(state: Path, kind: str) -> Server | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        server = Server(**json.loads((state / f"{kind}.json").read_text()))
        if is_running(server):
            return server
    return None


def ensure(kind: str, state: Path = STATE_DIRECTORY, *, owner_pid: int = 0) -> Server:
    """The server of this kind recorded in ``state``, started first when there is none.

    Processes asking at the same time take turns and get the same one.
    """
    with _locked(state):
        server = _read(state, kind)
        if server is None:
            server = START[kind](owner_pid=owner_pid)
            path = state / f"{kind}.json"
            path.touch(mode=0o600)
            path.write_text(json.dumps(dataclasses.asdict(server)))
        return server


def stop_all(state: Path = STATE_DIRECTORY) -> list[Server]:
    """End every server recorded in ``state`` and remove its files; say which they were."""
    stopped = []
    with _locked(state):
        for kind in START:
            server = _read(state, kind)
            if server is not None:
                stop(server)
                stopped.append(server)
            (state / f"{kind}.json").unlink(missing_ok=True)
    return stopped


# The command -------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Private PostgreSQL, Redis and MariaDB servers for tests.",
        epilog="Example: python scripts/services.py start postgres",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("start", "start a server and print its URL"),
        ("url", "print the URL of the server running"),
    ):
        commands.add_parser(name, help=text).add_argument("kind", choices=sorted(START))
    commands.add_parser("stop", help="end every server started by this script")
    options = parser.parse_args(arguments)
    if options.command == "stop":
        for server in stop_all():
            print(f"Stopped {server.kind} on port {server.port}.")
        return 0
    try:
        server_or_none = (
            ensure(options.kind)
            if options.command == "start"
            else _read(STATE_DIRECTORY, options.kind)
        )
    except ServiceUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    if server_or_none is None:
        print(
            f"No {options.kind} server of ours is running: start it with "
            f"`python scripts/services.py start {options.kind}`.",
            file=sys.stderr,
        )
        return 1
    print(server_or_none.url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
