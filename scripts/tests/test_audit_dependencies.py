"""The audit of dependencies: what it says of what is found, and that silence is no all-clear."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts import audit_dependencies as audit

FOUND: dict[str, list[dict[str, Any]]] = {
    "dependencies": [
        {"name": "good", "version": "1", "vulns": []},
        {
            "name": "bad",
            "version": "2",
            "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"]}],
        },
    ]
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What pip-audit says, one service after the other: the services are on the internet."""
    given: list[Any] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert "--disable-pip" in command, "nothing is installed to be audited"
        out, error = given.pop(0)
        return subprocess.CompletedProcess(command, 1, out, error)

    monkeypatch.setattr(subprocess, "run", run)
    return given


def test_a_vulnerability_is_named_with_its_remedy(
    answers: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answers.append((json.dumps(FOUND), ""))
    assert audit.main([]) == 1
    said = capsys.readouterr().out
    assert "bad 2 has PYSEC-1. Fixed in 3: make lock ARGS='--upgrade-package bad'" in said
    assert "2 packages were audited: 1 problem(s)." in said


def test_the_second_service_is_asked_and_silence_is_said(
    answers: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answers += [("", "ConnectionError: pypi"), (json.dumps({"dependencies": []}), "")]
    assert audit.main([]) == 0
    assert "0 packages were audited" in capsys.readouterr().out
    answers += [("", "ConnectionError"), ("", "osv: no route")]
    assert audit.main([]) == 0
    assert "NOT audited" in capsys.readouterr().out


def test_what_is_ignored_has_a_reason_and_a_package(
    answers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(len(reason) > 20 for reason in audit.IGNORED.values())
    monkeypatch.setattr(audit, "IGNORED", {"CVE-1": "never called here", "CVE-9": "long gone"})
    problems = list(audit.problems_of(FOUND["dependencies"]))
    assert problems == ["CVE-9 is ignored, but no locked package has it. Take it out of IGNORED."]


def test_it_is_installed() -> None:
    assert (audit.ROOT / "requirements.lock").exists()
    assert all((audit.ROOT / name).is_file() for name in audit.LOCKS)
    assert Path(audit.__file__).name in (audit.ROOT / "Makefile").read_text()
