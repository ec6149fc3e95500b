"""What a model's SQL refers to, read from Jinja's syntax tree. Nothing is executed, dbt is not needed."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from jinja2 import Environment, TemplateSyntaxError, nodes


@dataclass(frozen=True)
class References:
    """``ref()`` and ``source()`` calls with literal names; a syntax error leaves what whole tags say."""

    refs: set[str] = field(default_factory=set)
    sources: set[tuple[str, str]] = field(default_factory=set)
    error: str = ""
    #: The line of the syntax error, counted from 1; None without one.
    line: int | None = None


_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# dbt's own tags need no parser of ours: a model may hold none of them but "do" (an extension of Jinja).
_ENVIRONMENT = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)


def references(sql: str) -> References:
    """The names that ``sql`` refers to. Never raises for bad SQL or bad Jinja."""
    found = References()
    trees, failure = _parse(sql)
    for tree in trees:
        for call in tree.find_all(nodes.Call):
            _note(call, found)
    if failure is None:
        return found
    return References(found.refs, found.sources, failure.message or "", failure.lineno)


def _parse(sql: str) -> tuple[list[nodes.Template], TemplateSyntaxError | None]:
    try:
        return [_ENVIRONMENT.parse(sql)], None
    except TemplateSyntaxError as failure:
        return list(_whole_tags(sql)), failure
    except RecursionError:
        # Absurdly nested brackets; there is no line to name.
        return [], TemplateSyntaxError("the expression is nested too deeply", 1)


def _whole_tags(sql: str) -> Iterator[nodes.Template]:
    """Each tag that parses by itself, for text whose tags do not fit together (yet: someone is typing)."""
    for tag in _TAG.findall(_COMMENT.sub("", sql)):
        with suppress(TemplateSyntaxError, RecursionError):
            yield _ENVIRONMENT.parse(tag)


def _note(call: nodes.Call, found: References) -> None:
    names = [arg.value for arg in call.args if isinstance(arg, nodes.Const)]
    if len(names) != len(call.args) or not all(isinstance(name, str) for name in names):
        return
    match call.node:
        case nodes.Name(name="ref") | nodes.Getattr(node=nodes.Name(name="builtins"), attr="ref"):
            if 1 <= len(names) <= 2:
                # Two names are package and model; ours is one package.
                found.refs.add(names[-1])
        case (
            nodes.Name(name="source")
            | nodes.Getattr(node=nodes.Name(name="builtins"), attr="source")
        ) if len(names) == 2:
            found.sources.add((names[0], names[1]))
