"""MySQL's and MariaDB's types, as information_schema's COLUMN_TYPE writes them, in the hub."""

from pipelines.engine.model import Mapping


def to_hub(kind: str) -> Mapping:
    raise AssertionError(kind)
