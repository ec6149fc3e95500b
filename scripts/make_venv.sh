#!/bin/sh
# Makes .venv once: finds a Python of 3.11 or newer, says in one sentence what is missing otherwise.
# Called by the Makefile; PYTHON names an interpreter to use instead of the first that fits.
set -eu

venv=${1:-.venv}
fits='import sys; raise SystemExit(sys.version_info < (3, 11))'

fail() {
    echo "datanika: $1" >&2
    exit 1
}

if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c "$fits" 2>/dev/null; then
    # Some tools make environments without pip; theirs is kept and completed.
    "$venv/bin/python" -c 'import pip' 2>/dev/null || "$venv/bin/python" -m ensurepip >/dev/null ||
        fail "$venv has no pip: remove the directory and try again."
    exit 0
fi

if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null 2>&1 || fail "PYTHON=$PYTHON was not found."
    "$PYTHON" -c "$fits" 2>/dev/null ||
        fail "PYTHON=$PYTHON is $("$PYTHON" --version 2>&1 || true); Datanika needs Python 3.11 or newer."
    found=$PYTHON
else
    found=
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        # Started, not only looked up: a version manager's shim can be there without its version.
        if "$candidate" -c "$fits" >/dev/null 2>&1; then
            found=$candidate
            break
        fi
    done
    [ -n "$found" ] || fail "Python 3.11 or newer was not found (python3 is $(python3 --version 2>&1 || true)): install it (Debian: apt-get install python3 python3-venv; macOS: brew install python@3.12) or name one with make PYTHON=/path/to/python3."
fi

# Debian and Ubuntu keep what `venv` needs in a package of its own.
if ! "$found" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    version=$("$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "$found cannot make virtual environments: install its package (Debian, Ubuntu: apt-get install python3-venv, or python$version-venv)."
fi

echo "Making $venv with $("$found" --version)."
# Stamps of an environment that is no more must not outlive it.
rm -rf "$venv"
"$found" -m venv "$venv" || {
    rm -rf "$venv"
    fail "the virtual environment $venv could not be made with $found."
}
