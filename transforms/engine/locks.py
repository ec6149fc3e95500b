"""Locks between threads where dbt asks for locks between processes; imported before any other part of dbt.

The real ones are files in shared memory, watched by a helper process that each child would have to start. dbt's classes
take the maker of their locks when they are defined, so this has to come first.
"""

import threading
from types import SimpleNamespace
from typing import Any

import dbt.mp_context


def use_thread_locks() -> None:
    """Once is enough; again does no harm."""
    context: Any = dbt.mp_context
    context._MP_CONTEXT = SimpleNamespace(RLock=threading.RLock, Lock=threading.Lock)


use_thread_locks()
