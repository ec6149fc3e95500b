"""A definition as YAML and back. What is written can be read again and means the same.

Only the JSON subset is understood: ``no`` and ``2024-01-01`` stay texts, anchors are refused, a key
written twice is an error. Errors name the line.
"""

import re
from typing import Any

import yaml

from pipelines.definition import PipelineDefinition
from pipelines.errors import InvalidPipeline
from pipelines.models import MergeStrategy, Verify

#: Longer than any definition a person would keep in one text.
MAX_CHARACTERS = 400_000
#: A filter's value stands at the seventh level, two deeper for each group around it.
MAX_DEPTH = 20

_EMPTY: tuple[Any, ...] = ("", [], {})
#: Left out of the text. How tables are written is always said.
_PIPELINE_DEFAULTS = {"merge_strategy": str(MergeStrategy.UPSERT), "verify": str(Verify.NONE)}
_TAGS = frozenset({"null", "bool", "int", "float", "str", "seq", "map"})
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

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
        # An alias could make a small text enormous.
        if self.check_event(yaml.events.AliasEvent):
            raise InvalidPipeline(
                f"Line {line}: aliases are not understood.",
                field="yaml",
                remedy="Write the value out.",
            )
        if self.depth == MAX_DEPTH:
            raise InvalidPipeline(f"Line {line}: this is nested too deeply.", field="yaml")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    # It keeps YAML 1.1's resolvers too, so that what other tools would misread is quoted.

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
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


def to_yaml(definition: PipelineDefinition, *, source: str, destination: str) -> str:
    """The whole definition with the slugs of its endpoints; settings at their default are left out."""
    data = definition.as_dict()
    head = {key: data.pop(key) for key in ("name", "description", "tags")}
    resources = [_without_defaults(item) for item in data.pop("resources")]
    ends = {"source": source, "destination": destination}
    shown = {
        key: value
        for key, value in {**head, **ends, **data}.items()
        if value not in _EMPTY and _PIPELINE_DEFAULTS.get(key) != value
    }
    return dump({**shown, "resources": resources})


def from_yaml(text: str) -> tuple[PipelineDefinition, dict[str, str]]:
    """The definition, and the ``source`` and ``destination`` named beside it.

    Raises ``InvalidPipeline`` whose message begins with the line at fault.
    """
    root, data = _read(text)
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
        if value not in _EMPTY and (key, value) != ("is_selected", True)
    }


def _read(text: str) -> tuple[yaml.Node | None, Any]:
    """The tree, for the lines, and the values."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidPipeline(f"The text is longer than {MAX_CHARACTERS} characters.", field="yaml")
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
        _check(root)
        return root, None if root is None else _Loader("").construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"Line {mark.line + 1}: " if mark else ""
        raise InvalidPipeline(
            f"{line}this is not YAML.",
            field="yaml",
            remedy="Check indentation, colons and quotes around that line.",
            detail=str(error.problem or ""),
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise InvalidPipeline(
            "This is not YAML.", field="yaml", remedy="Check indentation, colons and quotes."
        ) from None


def _check(node: yaml.Node | None) -> None:
    """Refuse what plain YAML would take without a word: a key written twice, a tag of a language."""
    if node is None:
        return
    if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
        raise _refused(node, f"the tag {node.tag!r} is not understood", "Write the plain value.")
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check(item)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused(key, "a key is one word", "Write the setting's name.")
            if key.value in seen:
                raise _refused(key, f"{key.value!r} is written twice", "Keep one of them.")
            seen.add(key.value)
            _check(value)


def _refused(node: yaml.Node, what: str, remedy: str) -> InvalidPipeline:
    line = node.start_mark.line + 1
    return InvalidPipeline(f"Line {line}: {what}.", field="yaml", remedy=remedy)


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
