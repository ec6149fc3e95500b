"""The three container files are in order, and the check that says so sees what it should."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.check_compose import ROOT, check

COMPOSE = "docker-compose.yml"


def test_hole_19_container_files_are_in_order() -> None:
    assert list(check(ROOT)) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (COMPOSE, "image: postgres:16", "image: postgres", "names no version"),
        (
            COMPOSE,
            "    shm_size: 256m",
            "    ports: ['5432:5432']",
            "publishes a port",
        ),
        (COMPOSE, "    user: redis\n", "", "runs as root"),
        (COMPOSE, "manage.py", 'manage.py", "fly', "has no command fly"),
        (COMPOSE, "asgi:application", "asgi:missing", "asgi has no missing"),
        (
            COMPOSE,
            "      condition: service_healthy",
            "      condition: ready",
            "ready",
        ),
        (COMPOSE, "DATANIKA_EGRESS:", "DATANIKA_EGRES:", "no setting reads"),
        (
            COMPOSE,
            "${DATANIKA_SECRET_KEY:?set it in .env, see .env.example}",
            "${DATANIKA_SECRET_KEY:-changeme}",
            "has a default",
        ),
        (".env.example", "REDIS_PASSWORD=", "REDIS_PASSWORD=redis", "must be chosen by everybody"),
        ("Dockerfile", "USER 10001:10001", "USER root", "the last USER"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, file: str, old: str, new: str, problem: str) -> None:
    for name in (COMPOSE, "Dockerfile", ".env.example", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "datanika_site", tmp_path / "datanika_site")
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    assert any(problem in found for found in check(tmp_path))
