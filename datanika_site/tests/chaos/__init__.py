"""Real processes, servers and machines, ended in the middle of what they do (``make chaos``)."""
