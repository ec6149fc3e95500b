"""The clean environment of the warm parent: what it needs to run, and no key or password."""

import os
from collections.abc import Mapping
from pathlib import Path

#: Taken over from the owner where set. ``LC_*`` comes along by prefix.
_TAKEN_OVER = ("PATH", "LANG", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")

_FIXED = {
    "TZ": "UTC",
    # Libraries that start a thread for each core when imported would break the fork.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # So would the thread that the allocator of pyarrow starts.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUTF8": "1",
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}


def clean_environment(home: str, owner: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The whole environment of a warm parent whose home directory is ``home``."""
    taken = {
        name: value
        for name, value in owner.items()
        if name in _TAKEN_OVER or name.startswith("LC_")
    }
    root = str(Path(__file__).resolve().parents[2])
    return {**taken, **_FIXED, "HOME": home, "TMPDIR": home, "PYTHONPATH": root}
