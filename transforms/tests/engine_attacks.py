"""An entry that adds macro files to a project: our rows have none, an attack that needs one is tried all the same."""

from pathlib import Path
from typing import Any

from transforms.engine import invocation, main
from transforms.engine.events import Emit


def build_with_macros(spec: dict[str, Any], emit: Emit) -> None:
    patched: Any = invocation
    render = patched.render
    patched.render = lambda rows, profile: {**render(rows, profile), **spec["macros"]}
    main.build(spec, emit)


def build_and_look(spec: dict[str, Any], emit: Emit) -> None:
    """Tells which files of the build hold the password, and whether others may read them, while all are still there."""

    def look_first(event: dict[str, Any]) -> None:
        if event["event"] == "done":
            emit({"event": "data", "value": _seen(spec)})
        emit(event)

    main.build(spec, look_first)


def _seen(spec: dict[str, Any]) -> dict[str, Any]:
    password = spec["warehouse"]["secrets"]["password"].encode()
    private = Path(spec["private_dir"])
    files = [
        file
        for place in (private, Path(spec["cache_dir"]))
        for file in place.rglob("*")
        if file.is_file()
    ]
    return {
        "files": len(files),
        "with_password": [file.name for file in files if password in file.read_bytes()],
        "is_private": not private.stat().st_mode & 0o077,
    }
