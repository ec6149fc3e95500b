"""Which explanation an error has, by its marks. Pure."""

from functools import lru_cache

from orchestration.explanations.catalogue import CATALOGUE
from orchestration.explanations.entry import Explanation, Kind

#: Codes that say nothing of the cause: they count only where the error came from no other system.
_OWN_WORDS = frozenset({"invalid"})

_Table = dict[tuple[str, str], Explanation]


def explain(code: str, signature: str = "", kind: str = "") -> Explanation | None:
    """The explanation of an error by its ``code`` and ``signature``; None for one that is not known yet.

    ``kind`` is what the step does (``pipeline``, ``transform``): some causes differ between the two.
    """
    narrow, broad = _tables()
    mark = f"code:{code}"
    for table, marks in (
        (narrow, (signature, mark)),
        (broad, (signature, *_classes_of(signature))),
        (broad, () if signature and code in _OWN_WORDS else (mark,)),
    ):
        for one in marks:
            found = table.get((kind, one)) or table.get((str(Kind.ANY), one))
            if found is not None:
                return found
    return None


def _classes_of(signature: str) -> list[str]:
    """``sqlstate:42*``, ``sqlstate:*``: what a signature belongs to, the narrowest first."""
    system, _, rest = signature.partition(":")
    return [f"{system}:{rest[:length]}*" for length in range(len(rest) - 1, -1, -1)]


@lru_cache(maxsize=1)
def _tables() -> tuple[_Table, _Table]:
    narrow: _Table = {}
    broad: _Table = {}
    for entry in CATALOGUE:
        for mark in entry.marks:
            is_class = entry.broad or mark.endswith("*")
            (broad if is_class else narrow)[str(entry.kind), mark] = entry
    return narrow, broad
