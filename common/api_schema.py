"""What the OpenAPI document says beside the views: how everything is refused."""

from typing import Any

_TEXTS = ("type", "title", "detail", "code", "field", "remedy")
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. `code` is for programs, `title` and `remedy` are for people.",
    "properties": {
        **{name: {"type": "string"} for name in _TEXTS},
        "status": {"type": "integer"},
        "errors": {
            "description": "By field, where a body or a query does not fit.",
            "type": "object",
            "additionalProperties": {},
        },
        "problems": {
            "description": "Each thing that does not fit: where, why, and what to do about it.",
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    name: {"type": "string"} for name in ("field", "code", "message", "remedy")
                },
                "required": ["field", "code", "message", "remedy"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "field", "remedy"],
}
_REFUSED = {
    "description": "Refused, or failed: problem details.",
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}},
    },
}


def with_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: each operation answers problem details with every other status."""
    result["components"].setdefault("schemas", {})["ProblemDetails"] = PROBLEM
    for operations in result["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].setdefault("default", _REFUSED)
    return result
