"""Whether the log is what was written: every digest made anew, every link followed.

``verify`` yields what is wrong, in one consistent snapshot of the database, some thousand rows at a time.
"""

from audit.verification.anchors import Anchor, anchors, check_anchors, read_anchors
from audit.verification.findings import Finding, Kind, Tally
from audit.verification.walk import verify

__all__ = [
    "Anchor",
    "Finding",
    "Kind",
    "Tally",
    "anchors",
    "check_anchors",
    "read_anchors",
    "verify",
]
