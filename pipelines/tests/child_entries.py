"""Entries of a child that answer what a test laid down, and keep what they were asked: the doors are real, the
destination is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Emit = Callable[[dict[str, Any]], None]


def state(spec: dict[str, Any], emit: Emit) -> None:
    _answer("state", spec, emit)


def estimate(spec: dict[str, Any], emit: Emit) -> None:
    _answer("estimate", spec, emit)


def rejects(spec: dict[str, Any], emit: Emit) -> None:
    _answer("rejects", spec, emit)


def discard_rejects(spec: dict[str, Any], emit: Emit) -> None:
    _answer("discard_rejects", spec, emit)


def _answer(operation: str, spec: dict[str, Any], emit: Emit) -> None:
    folder = Path(spec["files_root"])
    (folder / "asked.json").write_text(json.dumps({"operation": operation, "spec": spec}))
    # A child that may not write there could not load either.
    (Path(spec["work_dir"]) / "scratch").write_text("")
    emit({"event": "log", "level": "info", "scope": "x", "text": f"key {spec['hash_key']}"})
    answers = json.loads((folder / "answers.json").read_text())
    emit({"event": "data", "value": answers[operation]})
