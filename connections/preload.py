"""What a warm parent imports; without Django, for programs that start one and nothing else."""

#: Imported once by the warm parent, so that a child starts in tenths of a second.
PRELOAD = (
    "connections.connectors.operations",
    "pipelines.engine.preload",
)
#: dbt, half of all the memory: imported where there is something to transform.
PRELOAD_DBT = ("transforms.engine.locks", "transforms.engine.main", "transforms.engine.preload")
