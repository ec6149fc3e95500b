"""The chain and its verification once more, on PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ("test_digests.py", "test_chain.py", "test_verification.py", "test_exports.py")


@pytest.mark.chaos
def test_on_postgresql(postgres_url: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", *(str(HERE / file) for file in FILES)]
    done = subprocess.run(
        command,
        env=os.environ | {"DATABASE_URL": postgres_url},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
