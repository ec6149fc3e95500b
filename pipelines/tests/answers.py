"""A destination that answers as laid down, behind a real child process (``child_entries``)."""

import json
from pathlib import Path
from typing import Any

from connections.runner import files_root
from tenants.models import Organization


class Destination:
    """``answers`` by operation; ``asked`` is what the last child was given."""

    def __init__(self, organization: Organization) -> None:
        self.folder: Path = files_root(organization)

    def answers(self, **values: Any) -> None:
        (self.folder / "answers.json").write_text(json.dumps(values))

    @property
    def asked(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "asked.json").read_text())
        return found

    @property
    def was_asked(self) -> bool:
        return (self.folder / "asked.json").exists()
