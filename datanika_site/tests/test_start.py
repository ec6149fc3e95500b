"""Starting where something is in the way: one sentence with the cause and the remedy, status 1, nothing half done."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from datanika_site.keys import hashing_secret
from datanika_site.tests.installation import ROOT, Installation

KEYS = {
    "DATANIKA_SECRET_KEY": "k" * 20 + os.urandom(16).hex(),
    "DATANIKA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
}


def test_a_port_in_use_is_named_with_another_one(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for command in ("up", "demo"):
            done = Installation(tmp_path / "data").manage(command, f"--port={port}", check=False)
            assert done.returncode == 1
            assert done.stderr.strip() == (
                f"datanika: Port {port} is in use by another program."
                f" Stop it, or choose another: --port {port + 1}."
            )
    assert not (tmp_path / "data" / "datanika.sqlite3").exists()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DATANIKA_DATA_DIR": "/dev/null/data"}, "DATANIKA_DATA_DIR to a directory"),
        ({"DATABASE_URL": "postgres://x@localhost/x"}, "DATANIKA_SECRET_KEY and DATANIKA_ENC"),
        ({"DATABASE_URL": "mysql://x@localhost/x", **KEYS}, "must be a postgres:// address"),
        (
            {"DATANIKA_SECRET_KEY": "changeme", "DATANIKA_ENCRYPTION_KEYS": "x"},
            "is a default or shorter",
        ),
        ({"DATANIKA_HASHING_KEY": "short"}, "DATANIKA_HASHING_KEY is a default or shorter"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    tmp_path: Path, environment: dict[str, str], words: str
) -> None:
    done = Installation(tmp_path / "data", environment).manage("check", check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_new_encryption_key_leaves_hashes_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hashing_secret(["old"]) == hashing_secret(["new", "old"]) == "old"
    monkeypatch.setenv("DATANIKA_HASHING_KEY", "h" * 40)
    assert hashing_secret(["new"]) == "h" * 40


def test_doctor_says_what_is_missing(tmp_path: Path) -> None:
    done = Installation(tmp_path / "data").manage("doctor", check=False)
    assert done.returncode == 1
    assert "migration(s) are not applied. Run: datanika migrate" in done.stdout
    assert "dlt and dbt are loaded" in done.stdout


def test_an_old_python_is_told_so(tmp_path: Path) -> None:
    # No older interpreter is at hand: the check itself runs with a version that claims to be one.
    code = (
        "import sys, runpy; sys.version_info = (3, 9, 2);"
        f" runpy.run_path({str(ROOT / 'manage.py')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert "Datanika needs Python 3.11 or newer; this is 3.9.2." in done.stderr
