"""Asks whether a known vulnerability is in one of the locked packages.

    python scripts/audit_dependencies.py [LOCK ...]

Status 1 when there is one that is not in ``IGNORED``. Where no service answers it says so and ends with status 0: an
installation without the internet is no worse for it, and nobody takes silence for an all-clear.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
#: Asked one after the other, until one answers.
SERVICES = ("pypi", "osv")
#: Advisory → why it does not concern us. An entry that no package has any more is reported: none stays for ever.
IGNORED: dict[str, str] = {}
SECONDS = 300


def main(arguments: Sequence[str]) -> int:
    locks = [Path(name) for name in arguments] or [ROOT / name for name in LOCKS]
    found, unanswered = audit(locks)
    if found is None:
        print("Dependencies were NOT audited: no vulnerability service could be reached.")
        print(f"  {unanswered}")
        print("  Run it again where the internet is: make audit-dependencies")
        return 0
    problems = list(problems_of(found))
    for problem in problems:
        print(problem)
    count = len({package["name"] for package in found})
    print(f"{count} packages were audited: {len(problems)} problem(s).")
    return 1 if problems else 0


def audit(locks: Sequence[Path]) -> tuple[list[dict[str, Any]] | None, str]:
    """What is known of each package, and why nothing is where no service answers."""
    said = ""
    for service in SERVICES:
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--format",
            "json",
            "--progress-spinner",
            "off",
        ]
        command += [
            "--no-deps",
            "--disable-pip",
            "--vulnerability-service",
            service,
            "--timeout",
            "20",
        ]
        for lock in locks:
            command += ["--requirement", str(lock)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            said = f"{service}: no answer within {SECONDS} s"
            continue
        # It also ends with status 1 when it has found something.
        try:
            return list(json.loads(done.stdout)["dependencies"]), ""
        except (ValueError, KeyError):
            lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            said = f"{service}: {lines[-1][:200]}"
    return None, said


def problems_of(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each vulnerability, and for each entry of ``IGNORED`` that is not needed."""
    met: set[str] = set()
    for package in found:
        for known in package.get("vulns", ()):
            names = {known["id"], *known.get("aliases", ())}
            if ignored := names & IGNORED.keys():
                met |= ignored
                continue
            versions = ", ".join(known.get("fix_versions", ())) or "no version yet"
            yield (
                f"{package['name']} {package['version']} has {known['id']}."
                f" Fixed in {versions}: make lock ARGS='--upgrade-package {package['name']}'"
            )
    for name in sorted(IGNORED.keys() - met):
        yield f"{name} is ignored, but no locked package has it. Take it out of IGNORED."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
