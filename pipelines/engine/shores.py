"""What plans have to know of a destination."""

from typing import ClassVar, Protocol

from pipelines.engine.model import Landing


class Shore(Protocol):
    """The far side of a load, as far as names and types go."""

    #: The longest name it takes, in bytes; 0 for no limit.
    max_name: ClassVar[int]
    #: Names that differ in case only are one column to it.
    folds_case: ClassVar[bool]

    def land(self, kind: str) -> Landing:
        """Its type for a type of the hub."""
        ...

    def hub_of(self, own: str) -> str:
        """The hub type of a column that is there; empty for one the hub has no word for."""
        ...
