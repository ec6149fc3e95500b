"""The house rules see what they should, and the repository keeps them."""

from __future__ import annotations

import pytest

from scripts import check_repo


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("app/long.py", "x = 1\n" * 501, "501 lines"),
        ("docs/page.md", "see /ho" + "me/someone/notes", "one particular machine"),
        ("README.md", "https://pypi" + ".org/simple", "package index"),
        ("app/views.py", "# TO" + "DO later", "unfinished"),
        ("requirements.lock", "--index-url https://example.com", "not places"),
        ("pipelines/engine/main.py", "from django.conf import settings", "child side"),
        ("transforms/engine/main.py", "def f():\n    import django.db.models", "child side"),
        ("connections/policy.py", "from django import db", "child side"),
    ],
)
def test_what_is_wrong_is_said(name: str, text: str, problem: str) -> None:
    assert any(problem in found for found in check_repo.problems_of(name, text))


def test_what_is_right_is_let_through() -> None:
    text = 'from django.core.exceptions import ValidationError\nURL = "/o/acme/runs/1/"\n'
    assert list(check_repo.problems_of("connections/connectors/postgres.py", text)) == []
    assert list(check_repo.problems_of("app/migrations/0001_initial.py", "x = 1\n" * 501)) == []


def test_lock_files_agree() -> None:
    assert list(check_repo.lock_problems(check_repo.ROOT)) == []
