"""The catalogue: every explanation there is."""

from orchestration.explanations.catalogue import (
    access,
    files,
    limits,
    machines,
    network,
    own,
    sql,
    tables,
    values,
)
from orchestration.explanations.entry import Explanation

CATALOGUE: tuple[Explanation, ...] = (
    *access.ENTRIES,
    *network.ENTRIES,
    *limits.ENTRIES,
    *machines.ENTRIES,
    *values.ENTRIES,
    *files.ENTRIES,
    *tables.ENTRIES,
    *sql.ENTRIES,
    *own.ENTRIES,
)
