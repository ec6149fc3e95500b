"""One installation for all scenarios of a module; machines are made and ended by each."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from datanika_site.tests.chaos.machines import missing
from datanika_site.tests.chaos.site import Site
from datanika_site.tests.chaos.table import Table


@pytest.fixture(scope="module")
def _installed(request: pytest.FixtureRequest) -> Iterator[Site]:
    if reason := missing():
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="datanika-chaos-"))
    directory.chmod(0o711)
    site = Site(directory)
    yield site
    site.close()
    if not request.session.testsfailed:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def site(_installed: Site) -> Iterator[Site]:
    yield _installed
    _installed.clear()


@pytest.fixture
def table() -> Table:
    return Table()
