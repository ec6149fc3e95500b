"""An entry that adds macro files to a project: our rows have none, an attack that needs one is tried all the same."""

from typing import Any

from transforms.engine import invocation, main
from transforms.engine.events import Emit


def build_with_macros(spec: dict[str, Any], emit: Emit) -> None:
    patched: Any = invocation
    render = patched.render
    patched.render = lambda rows, profile: {**render(rows, profile), **spec["macros"]}
    main.build(spec, emit)
