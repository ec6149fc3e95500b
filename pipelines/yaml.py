"""A definition as YAML and back. What is written can be read again and means the same.

Only the JSON subset is understood: ``no`` and ``2024-01-01`` stay texts, anchors are refused, a key
written twice is an error. Errors name the line.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from pipelines.definition import PipelineDefinition
from pipelines.errors import InvalidPipeline

#: Longer than any definition a person would keep in one text.
MAX_CHARACTERS = 400_000

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

# YAML 1.1 reads NO as false, 1:30 as 90 and 010 as 8; a definition takes words as they are.
_RESOLVERS = (
    ("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"]),
    ("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"),
        list("-0123456789"),
    ),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        # An alias could make a small text enormous.
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark
            raise InvalidPipeline(
                f"Line {mark.line + 1}: aliases are not understood.",
                field="yaml",
                remedy="Write the value out.",
            )
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # Lists are indented below their key, which is what people write by hand.
        return super().increase_indent(flow, False)


for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_tag, _pattern, _first)
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)


def _short_list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    plain = all(not isinstance(item, list | dict) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=plain)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(list, _short_list)
_Dumper.add_representer(str, _text)


def dump(data: dict[str, Any]) -> str:
    """Any JSON value as YAML, keys in their order."""
    return str(
        yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    )


def to_yaml(definition: PipelineDefinition, *, source: str, destination: str) -> str:
    """The whole definition with the slugs of its endpoints; settings at their default are left out."""
    data = definition.as_dict()
    head = {"name": data.pop("name"), "description": data.pop("description")}
    resources = [_without_defaults(item) for item in data.pop("resources")]
    ends = {"source": source, "destination": destination}
    shown = {key: value for key, value in {**head, **ends, **data}.items() if value != ""}
    return dump({**shown, "resources": resources})


def from_yaml(text: str) -> tuple[PipelineDefinition, dict[str, str]]:
    """The definition, and the ``source`` and ``destination`` named beside it.

    Raises ``InvalidPipeline`` whose message begins with the line at fault.
    """
    root = _compose(text)
    data = _Loader("").construct_document(root) if root is not None else None
    if not isinstance(data, dict):
        raise InvalidPipeline("Line 1: a mapping of settings is needed.", field="yaml")
    ends = {key: data.pop(key) for key in ("source", "destination") if key in data}
    for key, value in ends.items():
        if not isinstance(value, str):
            raise _at(root, InvalidPipeline(f"{key} is the name of a connection.", field=key))
    try:
        return PipelineDefinition.parse(data), ends
    except InvalidPipeline as error:
        raise _at(root, error) from None


def _without_defaults(resource: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in resource.items()
        if value not in ("", []) and (key, value) != ("is_selected", True)
    }


def _compose(text: str) -> yaml.Node | None:
    if len(text) > MAX_CHARACTERS:
        raise InvalidPipeline(
            f"The text is longer than {MAX_CHARACTERS} characters.", field="yaml"
        )
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
        for key, line in _repeated(root):
            raise InvalidPipeline(f"Line {line}: {key!r} is written twice.", field="yaml")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"Line {mark.line + 1}: " if mark else ""
        raise InvalidPipeline(
            f"{line}this is not YAML.",
            field="yaml",
            remedy="Check indentation, colons and quotes around that line.",
            detail=str(error.problem or ""),
        ) from None
    except (yaml.YAMLError, RecursionError):
        raise InvalidPipeline(
            "This is not YAML.", field="yaml", remedy="Check indentation, colons and quotes."
        ) from None
    return root


def _repeated(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    """Keys that stand twice in one mapping; plain YAML would take the last without a word."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            raise InvalidPipeline(
                f"Line {key.start_mark.line + 1}: a key is one word.", field="yaml"
            )
        if key.value in seen:
            yield key.value, key.start_mark.line + 1
        seen.add(key.value)
        yield from _repeated(value)


def _at(root: yaml.Node | None, error: InvalidPipeline) -> InvalidPipeline:
    """The same error with the line of its field in front."""
    line = _line_of(root, error.field)
    return InvalidPipeline(
        f"Line {line}: {error.message}",
        field=error.field,
        remedy=error.remedy,
        detail=error.detail,
    )


def _line_of(root: yaml.Node | None, path: str) -> int:
    """The line where ``resources[0].filters[1].op`` stands, or the nearest thing that does."""
    node, line = root, 1
    for key, index in _STEP.findall(path):
        if isinstance(node, yaml.MappingNode) and key:
            found = next((pair for pair in node.value if pair[0].value == key), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line + 1
        else:
            break
    return line
