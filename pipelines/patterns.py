"""Patterns of table names: matched in one go however many there are, and made from names. Pure."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate

_SPECIAL = re.compile(r"[*?[]")
_ESCAPED = re.compile(r"\[([*?[])\]")


def pattern_of(name: str) -> str:
    """The pattern that matches this name alone."""
    return _SPECIAL.sub(lambda found: f"[{found[0]}]", name)


def name_of(pattern: str) -> str | None:
    """The one name a pattern stands for; None for a pattern of several."""
    name = _ESCAPED.sub(r"\1", pattern)
    return name if pattern_of(name) == pattern else None


def containing(text: str, names: Iterable[str]) -> str:
    """A pattern of names with the text in them; where any of ``names`` writes it otherwise, in upper and lower case."""
    found = pattern_of(text)
    if all(text in name for name in names):
        return f"*{found}*" if text else "*"
    return f"*{''.join(_either_case(letter) for letter in text)}*"


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a name matches any of the patterns, as ``fnmatchcase`` tells one."""
    names: set[str] = set()
    several: list[str] = []
    for pattern in patterns:
        name = name_of(pattern)
        if name is None:
            several.append(translate(pattern))
        else:
            names.add(name)
    # One expression for all of them: thousands of single ones fall out of fnmatch's cache.
    matches = re.compile("|".join(several)).match if several else None
    return lambda name: name in names or bool(matches and matches(name))


def _either_case(letter: str) -> str:
    lower, upper = letter.lower(), letter.upper()
    both = lower != upper and len(lower) == len(upper) == 1
    return f"[{lower}{upper}]" if both else pattern_of(letter)
