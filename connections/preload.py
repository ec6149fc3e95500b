"""What a warm parent imports; without Django, for programs that start one and nothing else."""

#: Imported once by the warm parent, so that a child starts in tenths of a second.
PRELOAD = (
    "connections.connectors.operations",
    "pipelines.engine.preload",
    "transforms.engine.main",
    "transforms.engine.preload",
)
