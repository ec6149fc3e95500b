"""Short-lived child processes, forked from a warm parent that knows no secret.

The Django side uses ``client`` and ``box``; an entry point that runs in a child may use ``hooks``;
nothing else is for import from outside.
"""
