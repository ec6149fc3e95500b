"""What is different between two runs of one thing: settings, SQL, edges, versions, secrets by their fingerprints.

Both capsules are what was run exactly, so the difference is what a person changed, not what the rows did.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from connections.models import Connection
from connections.selectors import differing_secrets
from orchestration.capsules import capsule_of
from orchestration.models import Run, Status

#: Runs of the target that are looked through for the last success.
LOOKED_AT = 200
#: Unchanged lines around a change of SQL.
AROUND = 2
#: A setting longer than this is shown cut.
LONGEST = 200


@dataclass(frozen=True)
class DiffLine:
    """``kind`` is add, del, or empty for an unchanged line."""

    kind: str
    text: str


@dataclass(frozen=True)
class Change:
    """One thing that is different. Text of several lines has ``lines``, a secret is only ``told`` of, and everything
    else has ``before`` and ``after``.
    """

    what: str
    before: str = ""
    after: str = ""
    lines: Sequence[DiffLine] = ()
    told: str = ""

    @property
    def words(self) -> str:
        return f"{self.what} {self.told}".strip()


@dataclass(frozen=True)
class Group:
    """The changes of one node, or of the graph, the versions, the secrets."""

    title: str
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class Comparison:
    against: Run
    groups: list[Group]

    @property
    def count(self) -> int:
        return sum(len(group.changes) for group in self.groups)

    @property
    def summary(self) -> str:
        """``orders: write disposition, SQL; versions: dlt``"""
        parts = []
        for group in self.groups:
            names = [change.words for change in group.changes[:3]]
            more = " …" if len(group.changes) > 3 else ""
            parts.append(f"{group.title}: {', '.join(names)}{more}")
        return "; ".join(parts[:4]) + (" …" if len(parts) > 4 else "")


def last_success(run: Run) -> Run | None:
    """The newest run before this one of the same target and selection that succeeded."""
    rows = Run.objects.for_organization(run.organization).filter(
        target=run.target, number__lt=run.number
    )
    recent = rows.order_by("-number").values_list("pk", "status", "select")[:LOOKED_AT]
    for pk, status, selected in recent:
        if status == Status.SUCCEEDED and selected == run.select:
            return Run.objects.for_organization(run.organization).get(pk=pk)
    return None


def changes_since(run: Run, against: Run | None) -> Comparison | None:
    """None where there is nothing to compare with."""
    if against is None:
        return None
    old, new = capsule_of(against), capsule_of(run)
    nodes = [*_nodes(old.get("nodes") or {}, new.get("nodes") or {})]
    groups = [
        *nodes,
        *_connections(old.get("connections") or {}, new.get("connections") or {}),
        _shapes(old, new, explained=any(group.changes for group in nodes)),
        _group(_("Asked for"), old.get("options"), new.get("options")),
        _edges(old.get("edges") or [], new.get("edges") or []),
        _group(_("Versions"), old.get("versions"), new.get("versions")),
        *_others(old, new),
    ]
    return Comparison(against, [group for group in groups if group.changes])


def connections_since(run: Run) -> list[Group]:
    """What is different today about the connections that the run used; those that are gone are absent."""
    kept = capsule_of(run).get("connections") or {}
    rows = Connection.objects.for_organization(run.organization).filter(slug__in=kept)
    today = {row.slug: row.as_used() for row in rows}
    return [group for group in _connections(kept, today) if group.changes]


#: Parts of a capsule that have words of their own, and what is no setting (how steps were cut).
_KNOWN = frozenset(
    {
        "nodes",
        "edges",
        "versions",
        "options",
        "steps",
        "connections",
        "dlt_schemas",
        "dbt_projects",
    }
)


def _others(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Group]:
    for key in sorted((old.keys() | new.keys()) - _KNOWN):
        yield _group(_word(key).capitalize(), old.get(key), new.get(key))


def _nodes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Group]:
    for key in sorted(old.keys() | new.keys()):
        name = key.partition(":")[2]
        if key not in old:
            yield Group(name, [Change(_("new in this run"))])
        elif key not in new:
            yield Group(name, [Change(_("no longer part of it"))])
        else:
            yield _group(name, old[key], new[key])


def _connections(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Group]:
    """Of those that both used; what one of them used alone is told by its nodes."""
    for slug in sorted(old.keys() & new.keys()):
        before, after = old[slug], new[slug]
        group = _group(
            _("Connection %s") % slug,
            {name: before.get(name) for name in ("connector", "config")},
            {name: after.get(name) for name in ("connector", "config")},
        )
        changes = [replace(one, what=one.what.removeprefix("config · ")) for one in group.changes]
        changes += _secrets(before.get("secrets") or {}, after.get("secrets") or {})
        yield Group(group.title, changes)


def _secrets(old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    """By their fingerprints alone, so never with a value."""
    words = {"given": _("given"), "gone": _("taken away"), "changed": _("changed")}
    for name, what in differing_secrets(old, new).items():
        yield Change(_word(name), told=words[what])


def _shapes(old: dict[str, Any], new: dict[str, Any], *, explained: bool) -> Group:
    """What dlt and dbt made of it, where both runs came so far. ``explained``: the nodes say what changed in them."""
    changes: list[Change] = []
    words = {
        "dlt_schemas": _("dlt schema of %s"),
        "dbt_projects": _("rest of the dbt project in %s"),
    }
    for part, word in words.items():
        if part == "dbt_projects" and explained:
            continue
        before, after = old.get(part) or {}, new.get(part) or {}
        changes += [
            Change(word % name, before[name][:12], after[name][:12])
            for name in sorted(before.keys() & after.keys())
            if before[name] != after[name]
        ]
    return Group(_("Schemas"), changes)


def _group(title: str, old: Any, new: Any) -> Group:
    before, after = _flat(old or {}), _flat(new or {})
    names = [name for name in {**before, **after} if before.get(name, "") != after.get(name, "")]
    return Group(
        title, [_change(name, before.get(name, ""), after.get(name, "")) for name in names]
    )


def _change(name: str, before: str, after: str) -> Change:
    what = _word(name)
    if "\n" in before or "\n" in after or name == "sql":
        return Change("SQL" if name == "sql" else what, lines=_lines(before, after))
    return Change(what, _cut(before), _cut(after))


def _lines(before: str, after: str) -> list[DiffLine]:
    kinds = {"+": "add", "-": "del", " ": ""}
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=AROUND)
    return [
        DiffLine(kinds.get(line[0], ""), "…" if line.startswith("@@") else line[1:])
        for number, line in enumerate(found)
        # The two names of files, and the first mark of a place.
        if number > 2
    ]


def _edges(old: list[Any], new: list[Any]) -> Group:
    before, after = ({_edge(pair) for pair in edges} for edges in (old, new))
    gone = [Change(_("edge removed"), before=edge) for edge in sorted(before - after)]
    come = [Change(_("edge added"), after=edge) for edge in sorted(after - before)]
    return Group(_("Graph"), gone + come)


def _edge(pair: Sequence[str]) -> str:
    return " → ".join(str(key).partition(":")[2] for key in pair[:2])


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """Settings as ``{"resources.orders.cursor_column": "updated_at"}``; what is empty is not there."""
    if isinstance(value, dict):
        found: dict[str, str] = {}
        for key, item in value.items():
            found |= _flat(item, f"{path}.{key}" if path else str(key))
        return found
    if isinstance(value, list):
        if any(isinstance(item, dict) for item in value):
            found = {}
            for number, item in enumerate(value, 1):
                name = item.get("name") if isinstance(item, dict) else None
                found |= _flat(item, f"{path}.{name or number}")
            return found
        return {path: ", ".join(str(item) for item in value)} if value else {}
    return {} if value in (None, "") else {path: _plain(value)}


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


def _word(name: str) -> str:
    return name.replace("_", " ").replace(".", " · ")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
