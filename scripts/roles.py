"""The tables of docs/roles.md, made of ``common.access``: ``python -m scripts.roles``; with ``--check`` it compares."""

import sys
from pathlib import Path

from common.access import GRANTS, PERMISSION_WORDS, ROLE_ORDER, ROLE_PERMISSIONS, Permission

PAGE = Path(__file__).resolve().parent.parent / "docs" / "roles.md"
BEGIN, END = "<!-- {name} -->", "<!-- end of {name} -->"


def role_table() -> str:
    """Permission × role."""
    lines = [
        _row("", *(role.value for role in reversed(ROLE_ORDER))),
        _row("---", *(":-:" for _role in ROLE_ORDER)),
    ]
    lines += [
        _row(
            f"{PERMISSION_WORDS[permission]} (`{permission}`)",
            *(_mark(permission in ROLE_PERMISSIONS[role]) for role in reversed(ROLE_ORDER)),
        )
        for permission in Permission
    ]
    return "\n".join(lines)


def grant_table() -> str:
    """What a grant allows on its one thing."""
    lines = [_row("A grant to", *GRANTS), _row("---", *(":-:" for _grant in GRANTS))]
    lines += [
        _row(
            f"allows `{permission}`", *(_mark(permission in allowed) for allowed in GRANTS.values())
        )
        for permission in GRANTS
    ]
    return "\n".join(lines)


def written(text: str) -> str:
    """The page with its tables as they have to be."""
    for name, table in (("roles", role_table()), ("grants", grant_table())):
        begin, end = BEGIN.format(name=name), END.format(name=name)
        head, _, rest = text.partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise SystemExit(f"{PAGE.name} has no {begin} … {end}.")
        text = f"{head}{begin}\n{table}\n{end}{tail}"
    return text


def main(arguments: list[str]) -> int:
    text = PAGE.read_text()
    if (new := written(text)) == text:
        return 0
    if "--check" in arguments:
        sys.stderr.write(
            "docs/roles.md is not what common/access.py says: run python -m scripts.roles.\n"
        )
        return 1
    PAGE.write_text(new)
    return 0


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _mark(allowed: bool) -> str:
    return "✓" if allowed else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
