"""Other tools to be measured against, each in a virtual environment below build/peers, made at the first need.

Never part of the project's own locks. ``BENCH_PEERS=0`` leaves them out.
"""

import os
import subprocess
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from bench.report import BUILD, say

HERE = Path(__file__).resolve().parent
_INSTALL_SECONDS = 600


@cache
def environment(name: str) -> Path | None:
    """The directory of the peer's environment, with ``<name>.txt`` beside this file installed.

    None, and a sentence, where it is not wanted or cannot be had.
    """
    if os.environ.get("BENCH_PEERS") == "0":
        return None
    wanted = (HERE / f"{name}.txt").read_text(encoding="utf-8")
    folder = BUILD / "peers" / name
    mark = folder / "installed.txt"
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return folder
    say(f"Installing {name} into build/peers/{name}.")
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", folder],
        [*install, "-r", HERE / f"{name}.txt"],
    ):
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip()).splitlines()
            say(f"{name} is left out, it cannot be installed: {words[-1] if words else ''}")
            return None
    mark.write_text(wanted, encoding="utf-8")
    return folder


def version_of(name: str) -> str:
    """What is installed in the peer's environment."""
    places = [str(place) for place in (BUILD / "peers" / name).glob("lib/python*/site-packages")]
    found = distributions(path=places)
    return next(one.version for one in found if one.name.partition("-")[0] == name)
