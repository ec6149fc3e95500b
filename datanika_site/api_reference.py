"""The OpenAPI document as a page shows it: operations in groups, with their fields and an example."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

METHODS = ("get", "post", "put", "patch", "delete")
#: Deep enough for every body of ours, and an end for a schema that holds itself.
MAX_DEPTH = 5
_SAMPLES = {
    "date-time": "2026-01-31T06:00:00Z",
    "date": "2026-01-31",
    "email": "name@example.com",
    "uri": "https://example.com/",
    "uuid": "7f7c2f4e-0f0a-4c38-9a5e-3c1f0f6a2b11",
}


@dataclass(frozen=True)
class Argument:
    """A parameter of the path or the query, or a field of a body."""

    name: str
    place: str
    kind: str
    required: bool
    text: str


@dataclass(frozen=True)
class Operation:
    key: str
    method: str
    path: str
    summary: str
    text: str
    arguments: tuple[Argument, ...]
    body: tuple[Argument, ...]
    answer: tuple[Argument, ...]
    status: str
    example: str


@dataclass(frozen=True)
class Group:
    key: str
    title: str
    operations: list[Operation] = field(default_factory=list)


def build_groups(document: Schema, base_url: str) -> list[Group]:
    """The operations of ``document`` by resource, in the order of their paths."""
    groups: dict[str, Group] = {}
    for path in sorted(document["paths"]):
        key = _group_key(path)
        for method in METHODS:
            if operation := document["paths"][path].get(method):
                group = groups.setdefault(key, Group(key, _title(key)))
                group.operations.append(_operation(document, base_url, path, method, operation))
    return list(groups.values())


def _group_key(path: str) -> str:
    """``connections`` of ``/api/v1/organizations/{organization}/connections/{slug}/``."""
    below = re.sub(r"^/api/v1/(organizations/\{organization\}/)?", "", path)
    return below.split("/")[0] or "organizations"


def _title(key: str) -> str:
    return key.replace("-", " ").capitalize().replace("Api", "API")


def _operation(
    document: Schema, base_url: str, path: str, method: str, operation: Schema
) -> Operation:
    text = str(operation.get("description", "")).strip()
    summary, _, rest = text.partition("\n")
    body = _json_schema(operation.get("requestBody", {}))
    status, answer = _answer(operation)
    arguments = [_parameter(parameter) for parameter in operation.get("parameters", ())]
    return Operation(
        key=str(operation["operationId"]),
        method=method.upper(),
        path=path,
        summary=str(operation.get("summary") or summary).rstrip("."),
        text=rest.strip() if not operation.get("summary") else text,
        # The required of the path first, then what may be left out.
        arguments=tuple(sorted(arguments, key=lambda argument: argument.place != "path")),
        body=tuple(_fields(document, body, "body")),
        answer=tuple(_fields(document, _item(document, answer), "answer")),
        status=status,
        example=_curl(document, base_url, path, method, body),
    )


def _json_schema(holder: Schema) -> Schema:
    content = holder.get("content", {})
    return dict(content.get("application/json", {}).get("schema", {}))


def _answer(operation: Schema) -> tuple[str, Schema]:
    for status, response in sorted(operation.get("responses", {}).items()):
        if status.startswith("2"):
            return status, _json_schema(response)
    return "", {}


def _resolved(document: Schema, schema: Schema) -> Schema:
    """The schema itself behind ``$ref`` and a lone ``allOf``."""
    while True:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        elif len(schema.get("allOf", ())) == 1:
            schema = {**schema["allOf"][0], **{k: v for k, v in schema.items() if k != "allOf"}}
        else:
            return schema


def _item(document: Schema, schema: Schema) -> Schema:
    """One row of a page or a list, so that the page describes the row and not its envelope."""
    schema = _resolved(document, schema)
    rows = schema.get("properties", {}).get("results", schema)
    return dict(_resolved(document, rows.get("items", schema)))


def _parameter(parameter: Schema) -> Argument:
    schema = parameter.get("schema", {})
    return Argument(
        parameter["name"],
        parameter["in"],
        _kind(schema),
        bool(parameter.get("required")),
        str(parameter.get("description", "")),
    )


def _fields(document: Schema, schema: Schema, place: str) -> Iterator[Argument]:
    schema = _resolved(document, schema)
    required = set(schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        if place == "body" and part.get("readOnly"):
            continue
        resolved = _resolved(document, part)
        text = str(part.get("description") or resolved.get("description") or "")
        # spectacular lists the choices in the description; the kind names them already.
        text = text.split("* `")[0].strip()
        yield Argument(name, place, _kind(resolved), name in required, text)


def _kind(schema: Schema) -> str:
    if choices := [str(choice) for choice in schema.get("enum", ()) if choice not in ("", None)]:
        return " | ".join(choices)
    if variants := schema.get("oneOf"):
        return _kind(variants[0])
    name = schema.get("type", "any")
    if isinstance(name, list):
        name = " | ".join(name)
    if name == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return f"{name} ({schema['format']})" if "format" in schema else str(name)


def sample(document: Schema, schema: Schema, depth: int = 0) -> Any:
    """A value that fits ``schema``, for the example."""
    schema = _resolved(document, schema)
    for key in ("example", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if variants := schema.get("oneOf"):
        return sample(document, variants[0], depth)
    kind = schema.get("type")
    if depth >= MAX_DEPTH:
        return None
    if kind == "object" or "properties" in schema:
        return {
            name: sample(document, part, depth + 1)
            for name, part in schema.get("properties", {}).items()
            if not part.get("readOnly")
        }
    if kind == "array":
        return [sample(document, schema.get("items", {}), depth + 1)]
    plain: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True}
    return plain.get(str(kind), _SAMPLES.get(schema.get("format", ""), "text"))


def _curl(document: Schema, base_url: str, path: str, method: str, body: Schema) -> str:
    # Placeholders become shell variables, so that the line can be pasted as it is.
    url = re.sub(r"\{(\w+)\}", lambda match: f"${match[1].upper()}", path)
    lines = ['curl -H "Authorization: Bearer $DATANIKA_API_KEY"']
    if method != "get":
        lines[0] += f" -X {method.upper()}"
    if body:
        text = json.dumps(sample(document, body), indent=2, ensure_ascii=False)
        lines.append('-H "Content-Type: application/json"')
        lines.append("-d '" + text.replace("'", "'\\''") + "'")
    lines.append(f'"{base_url}{url}"')
    return " \\\n  ".join(lines)
