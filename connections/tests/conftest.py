from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _own_data_dir(settings: Any, tmp_path: Path) -> None:
    """Files of one test are none of the next: rolled back organizations give their keys back."""
    settings.DATA_DIR = tmp_path / "data"
