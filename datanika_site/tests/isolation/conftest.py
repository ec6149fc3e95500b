"""One world for all tests of this directory."""

from collections.abc import Iterator
from typing import Any

import pytest

from common.errors import UserError
from connections import runner
from datanika_site.tests.isolation.world import World, made_world


@pytest.fixture(scope="package")
def world(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with django_db_blocker.unblock(), made_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_children(
    _own_data_dir: None, settings: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who gets in is decided before a child is asked, so none is started: it would only take long."""
    settings.DATA_DIR = world.directory

    def refuse(*_: Any, **__: Any) -> None:
        raise UserError("No child is started in this test.")

    monkeypatch.setattr(runner, "pool", refuse)
