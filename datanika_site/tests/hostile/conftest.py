"""The victims of the hostile suite: another organization with data, and secrets of the installation on disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.conf import settings

from common.children import landlock
from common.children.client import Outcome, run_to_end
from conftest_site import Person
from connections import runner
from tenants.models import Organization

ENTRIES = "common.tests.hostile_entries"
#: In every file and variable that no child may see.
CANARY = "canary-9d41-hostile"

needs_landlock = pytest.mark.skipif(
    landlock.version() < 6, reason=f"the kernel offers Landlock version {landlock.version()}, not 6"
)


@dataclass
class Attack:
    """Runs entries of ``common.tests.hostile_entries`` as the product runs its own, in the organization's box."""

    organization: Organization

    def __call__(
        self, entry: str, spec: dict[str, Any] | None = None, *, seconds: float = 30, **box: Any
    ) -> Outcome:
        private = runner.make_private_dir()
        full = runner.box(private, writable=(runner.files_root(self.organization),))
        for name, value in box.items():
            object.__setattr__(full, name, value)
        return run_to_end(runner.pool(), f"{ENTRIES}:{entry}", spec or {}, full, seconds)


@pytest.fixture(autouse=True)
def _secret_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", CANARY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)


@pytest.fixture
def attack(organization: Organization) -> Attack:
    runner.pool().warm_up()
    return Attack(organization)


@pytest.fixture
def victim(stranger: Person) -> Organization:
    """Another organization with an upload and a warehouse."""
    assert stranger.membership is not None
    other = stranger.membership.organization
    root = runner.files_root(other)
    (root / "uploads").mkdir()
    (root / "uploads" / "people.csv").write_text(f"name\n{CANARY}\n")
    with duckdb.connect(str(root / "warehouse.duckdb")) as database:
        database.execute(f"create table people as select '{CANARY}' as name")
    return other


@pytest.fixture
def secrets_on_disk(tmp_path: Path) -> Iterator[list[Path]]:
    """The files of an installation that hold secrets, where ``datanika up`` puts them."""
    data = Path(settings.DATA_DIR)
    data.mkdir(parents=True, exist_ok=True)
    files = [data / name for name in ("keys.json", "db.sqlite3", "db.sqlite3-wal", ".env")]
    for file in files:
        file.write_text(CANARY)
    yield files
    for file in files:
        assert file.read_text() == CANARY
