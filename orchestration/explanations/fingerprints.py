"""One short value for all errors of one cause, whatever the table, the row or the moment. Pure."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

LENGTH = 16

#: From the most telling to the least: what differs from one occurrence of an error to the next.
_REPLACED = (
    # "3 of 8 tables failed; the others were loaded." stands before what matters.
    (re.compile(r"^\d+ of \d+ tables failed; the others were loaded\. "), ""),
    (re.compile(r" And \d+ more\.$| Skipped behind it: \d+\.| and \d+ more\."), ""),
    (re.compile(r"\b[a-z][a-z+.-]*://\S+"), "<url>"),
    (re.compile(r"\S+@[\w.-]+"), "<address>"),
    (re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|“[^”]*”|«[^»]*»|\$\w*\$.*?\$\w*\$"), "<name>"),
    # "Key (email)=(a@b.c) already exists"
    (re.compile(r"\([^()]*\)"), "<value>"),
    (re.compile(r"(?<![\w<])(?:/[\w.+@%~-]+)+/?"), "<path>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d?:\d\d(?::\d\d(?:\.\d+)?)?\b"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b(?:0x)?[0-9a-fA-F]*\d[0-9a-fA-F]{7,}\b"), "<id>"),
    # Names with a dot, an underscore or a digit in them: public.orders, stg_orders, 10.0.0.7:5432.
    (re.compile(r"\b\w+(?:[.:]\w+)+\b|\b\w*_\w+\b|\b[A-Za-z]+\d\w*\b"), "<name>"),
    (re.compile(r"[-+]?\d+(?:[.,]\d+)*"), "<n>"),
)  # fmt: skip
#: Ours begin with what was at work and a name: "Loading orders failed: …", "Failed: daily (…)".
_WORK = re.compile(
    r"^(?P<verb>Loading|Reading|Writing|Looking at|Opening) .+?"
    r"(?= (?:failed|was|is not|met|ran|found|lost|needs|could)\b|$)"
)
#: "Failed: daily (line 3: division by zero); weekly (…)": the first one's words stand for all.
_FIRST = re.compile(
    r"^(?P<what>Failed|Tests failed): \w+(?: \((?P<words>.*?)\))?(?:; |\.|$| and ).*$"
)
#: "orders: the counts do not agree", "daily: line 3, column 5: …"
_LABEL = re.compile(r"^[\w<>.$-]+: (?=\S)")
_PLACE = re.compile(r"\bline <n>(?:, column <n>)?:? ?")
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line \d+, in (?P<function>\S+)')
_SENTENCE = re.compile(r"(?<=[.;]) ")


def fingerprint_of(error: Mapping[str, Any]) -> str:
    """16 hexadecimal digits for an ``error`` event (``code``, ``signature``, ``message``, ``detail``).

    Empty for no error. Numbers, ids, quoted names, paths and times make no difference.
    """
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    if not code and not message:
        return ""
    signature = str(error.get("signature") or "")
    parts = [code, signature, outline_of(message)]
    if signature.startswith("python:"):
        # Of an error that nobody foresaw the place says more than the words.
        parts.append(place_of(str(error.get("detail") or "")))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:LENGTH]


def outline_of(message: str) -> str:
    """The message without what changes from one occurrence to the next."""
    text = " ".join(message.split())
    first = _FIRST.match(text)
    if first:
        text = f"{first['what']} {first['words'] or ''}"
    text = _LABEL.sub("", _REPLACED[0][0].sub("", text))
    text = _WORK.sub(r"\g<verb> <name>", text)
    for pattern, instead in _REPLACED:
        text = pattern.sub(instead, text)
    text = _LABEL.sub("", _PLACE.sub("", text))
    # Three tables that failed for one cause say it three times.
    said = dict.fromkeys(_WORK.sub(r"\g<verb> <name>", one) for one in _SENTENCE.split(text))
    return " ".join(said)[:300]


def place_of(detail: str) -> str:
    """``pipelines/engine/load.py: run``, the innermost frame of a traceback; empty without one."""
    frames = list(_FRAME.finditer(detail))
    return f"{frames[-1]['file']}: {frames[-1]['function']}" if frames else ""
