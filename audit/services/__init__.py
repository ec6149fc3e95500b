"""The way into the audit log, and the only way out of it."""

from audit.services.events import (
    MASK,
    Entry,
    EventActor,
    difference,
    record,
    record_many,
)
from audit.services.exports import record_audit_export, record_export
from audit.services.pruning import (
    announce_pruning,
    count_prunable,
    prunable,
    remove_chain,
    take_all,
    take_beginning,
)
from audit.services.refusals import record_refusal

__all__ = [
    "MASK",
    "Entry",
    "EventActor",
    "announce_pruning",
    "count_prunable",
    "difference",
    "prunable",
    "record",
    "record_audit_export",
    "record_export",
    "record_many",
    "record_refusal",
    "remove_chain",
    "take_all",
    "take_beginning",
]
