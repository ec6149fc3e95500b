"""Patterns of the operator ``like``: % stands for any characters, _ for one, a backslash takes the
meaning off the character behind it. The same in every dialect.
"""

from common.errors import UserError

#: Not a backslash: whether that is an escape in a literal depends on settings of the server.
ESCAPE = "!"


def check_pattern(pattern: str, column: str, field: str) -> None:
    """``UserError`` at ``field`` for a pattern that ends before its escaped character."""
    trailing = len(pattern) - len(pattern.rstrip("\\"))
    if trailing % 2:
        raise UserError(
            f'The pattern for column "{column}" ends in a single backslash.',
            field=field,
            remedy="Write two of them for a backslash itself.",
        )


def as_like(pattern: str) -> str:
    """For ``LIKE … ESCAPE '!'``."""
    return "".join(
        f"{ESCAPE}{one}" if one in f"%_{ESCAPE}" and not is_wild else one
        for one, is_wild in _characters(pattern)
    )


def as_glob(pattern: str) -> str:
    """For SQLite's GLOB, which minds case where its LIKE does not."""
    wildcards = {"%": "*", "_": "?"}
    return "".join(
        wildcards[one] if is_wild else f"[{one}]" if one in "*?[" else one
        for one, is_wild in _characters(pattern)
    )


def _characters(pattern: str) -> list[tuple[str, bool]]:
    """Each character with whether it is a wildcard."""
    found: list[tuple[str, bool]] = []
    rest = iter(pattern)
    for one in rest:
        if one == "\\":
            found.append((next(rest, "\\"), False))
        else:
            found.append((one, one in "%_"))
    return found
