"""The documentation names the test of every route the registry offers, and no other."""

import re
from pathlib import Path

from pipelines.tests.fidelity import test_files, test_routes
from pipelines.tests.fidelity.routes import FILES, destinations, sources

PAGE = Path(__file__).resolve().parents[3] / "docs" / "connectors" / "README.md"
_CELL = re.compile(
    r"\[(\w+-\w+)\]\(\.\./\.\./pipelines/tests/fidelity/(\w+)\.py \"(\w+)\[(\w+-\w+)\]\"\)"
)


def test_every_route_names_its_test() -> None:
    found = _CELL.findall(PAGE.read_text())
    wanted = {f"{source}-{destination}" for source in sources() for destination in destinations()}
    assert {route for route, *_ in found} == wanted
    modules = {"test_files": test_files, "test_routes": test_routes}
    for route, module, name, case in found:
        assert case == route
        assert callable(getattr(modules[module], name))
        assert (module == "test_files") == (route.partition("-")[0] in FILES)
