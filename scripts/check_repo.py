"""House rules no other tool looks after; part of ``make lint``.

    python scripts/check_repo.py

Fails on Python files that grew too long, paths of one particular machine, hosts of package indexes,
marks of unfinished work, lock files that contradict each other, and Django's settings or database
imported where a tenant's data is touched. Warns of files that are about to become too long.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINES_WARNED, LINES_REFUSED = 400, 500
SKIPPED_DIRECTORIES = {"build", "data", "dist", "node_modules", "staticfiles", "__pycache__"}
# Licence texts are quoted; what npm writes names its registry beside every checksum; fonts and
# the built editor are other people's work.
SKIPPED_FILES = {"LICENSE", "package-lock.json"}
SKIPPED_SUFFIXES = {".min.js", ".bundle.js", ".map", ".svg"}
CHILD_SIDE = (
    "pipelines/engine",
    "transforms/engine",
    "connections/connectors",
    "connections/policy",
    "common/children",
)
CHILD_REFUSED = ("django.conf", "django.db", "django.contrib", "django.core.cache", "datanika_site")

# Put together here, because this file is searched like every other.
_INDEX_HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "registry.npmjs" + ".org")
_INDEX = re.compile("|".join(re.escape(host) for host in _INDEX_HOSTS))
_LOCK_SOURCE = re.compile(r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host")
_PLACES = ("ho" + r"me/\w", "Us" + r"ers/\w", "ro" + r"ot\b", "wo" + r"rk/")
_MACHINE = re.compile(rf"(?<![\w.])/(?:{'|'.join(_PLACES)})")
_MARKS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
_UNFINISHED = re.compile(rf"\b(?:{'|'.join(_MARKS)})\b")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")


def main() -> int:
    problems, warnings = [], []
    for path in files(ROOT):
        name = path.relative_to(ROOT).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        problems += [f"{name}{problem}" for problem in problems_of(name, text)]
        lines = text.count("\n")
        if _counts_lines(name) and LINES_WARNED < lines <= LINES_REFUSED:
            warnings.append(f"{name}: {lines} lines; at {LINES_REFUSED} it must be divided.")
    problems += lock_problems(ROOT)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print("The repository keeps its house rules.")
    return 1 if problems else 0


def files(root: Path) -> Iterator[Path]:
    """The files of the project: what git knows or would add, else everything but leftovers."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        paths = [root / name for name in listed.stdout.split("\0") if name]
    else:
        paths = list(root.rglob("*"))
    for path in sorted(paths):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
        if hidden or SKIPPED_DIRECTORIES & set(parts) or path.name in SKIPPED_FILES:
            continue
        if path.is_file() and not path.name.endswith(tuple(SKIPPED_SUFFIXES)):
            yield path


def problems_of(name: str, text: str) -> Iterator[str]:
    """What is wrong with one file, each beginning with ``:line:`` or ``:``."""
    lines = text.splitlines()
    if _counts_lines(name) and len(lines) > LINES_REFUSED:
        yield f": {len(lines)} lines, more than {LINES_REFUSED}: make it a package."
    for number, line in enumerate(lines, start=1):
        if _MACHINE.search(line):
            yield f":{number}: a path of one particular machine."
        if _INDEX.search(line):
            yield f":{number}: a host of a package index; packages are named, not where they lie."
        if _UNFINISHED.search(line):
            yield f":{number}: a mark of unfinished work."
        if name.endswith(".lock") and _LOCK_SOURCE.search(line):
            yield f":{number}: a lock file names versions, not places."
    if name.endswith(".py") and name.startswith(CHILD_SIDE):
        yield from _child_problems(text)


def _counts_lines(name: str) -> bool:
    return name.endswith(".py") and "/migrations/" not in name


def _child_problems(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            # `from django import conf` counts as django.conf.
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            if f"{module}.".startswith(tuple(f"{refused}." for refused in CHILD_REFUSED)):
                yield f":{node.lineno}: {module} is imported on the child side."


def lock_problems(root: Path) -> Iterator[str]:
    """One environment serves the product and its tests, so both locks must agree."""
    product, development = _pins(root / "requirements.lock"), _pins(root / "requirements-dev.lock")
    for package, version in product.items():
        if development.get(package) != version:
            yield (
                f"requirements-dev.lock: {package} is {development.get(package, 'missing')},"
                f" requirements.lock says {version}: run make lock."
            )


def _pins(path: Path) -> dict[str, str]:
    matches = (_PIN.match(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {match[1]: match[2] for match in matches if match}


if __name__ == "__main__":
    sys.exit(main())
