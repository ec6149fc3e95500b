"""The resources of a spec: defaults applied, a whole database spelled out, options heard. Pure."""

from collections.abc import Sequence
from typing import Any

from common.errors import UserError
from pipelines.engine.errors import MissingTable, near
from pipelines.engine.model import Contract, Resource
from pipelines.patterns import matcher

_RULES = ("evolve", "freeze", "discard_row", "discard_value")


def parse_resource(
    value: dict[str, Any], default_schema: str, defaults: dict[str, Any] | None = None
) -> Resource:
    """A resource of the spec; what it leaves out comes from ``defaults``."""
    given = {key: item for key, item in value.items() if item not in (None, "", {})}
    merged = {**(defaults or {}), **given}
    cursor = merged.get("cursor") or {}
    settings = merged.get("column_settings") or {}
    initial, columns = cursor.get("initial"), merged.get("columns")
    return Resource(
        schema="" if merged.get("query") else merged.get("schema") or default_schema,
        name=merged["name"],
        target=merged.get("target") or merged["name"],
        query=str(merged.get("query") or ""),
        disposition=_one_of(merged, "write_disposition", ("replace", "append", "merge")),
        strategy=_one_of(merged, "merge_strategy", ("upsert", "delete_insert", "scd2")),
        primary_key=tuple(merged.get("primary_key") or ()),
        cursor_column=cursor.get("column") or None,
        cursor_initial=None if initial in (None, "") else initial,
        lookback=str(cursor.get("lookback") or ""),
        row_order=_one_of(cursor, "row_order", ("asc", "desc")),
        columns=tuple(columns) if columns else None,
        renames=tuple((name, one["rename"]) for name, one in settings.items() if one.get("rename")),
        transforms=tuple(
            (name, one["transform"]) for name, one in settings.items() if one.get("transform")
        ),
        filters=tuple(merged.get("filters") or ()),
        contract=_contract(merged.get("schema_contract") or {}),
        verify=_one_of(merged, "verify", ("none", "counts", "sums")),
    )


def _one_of(values: dict[str, Any], key: str, allowed: Sequence[str]) -> Any:
    """The value, which must be one of those allowed; the first of them where there is none."""
    value = values.get(key) or allowed[0]
    if value not in allowed:
        raise UserError(
            f'"{value}" is not a choice for {key}.', field=key, remedy=f"Use {', '.join(allowed)}."
        )
    return value


def _contract(value: dict[str, Any]) -> Contract:
    return Contract(
        **{key: _one_of(value, key, _RULES) for key in ("tables", "columns", "data_type")}
    )


def chosen_resources(spec: dict[str, Any], tables: Sequence[str]) -> list[Resource]:
    """What to load. ``tables`` are those of the source schema, asked for only in mode full_database.

    Raises ``UserError`` for a table that is named but not there, and for two resources with one target.
    """
    schema = spec.get("source_schema") or ""
    defaults = spec.get("defaults") or {}
    given: list[dict[str, Any]] = list(spec.get("resources") or [])
    if spec.get("mode") == "full_database":
        given = _whole_database(spec, given, tables, schema)
    wanted = set((spec.get("options") or {}).get("resources") or [])
    resources = [
        parse_resource(one, schema, defaults)
        for one in given
        if one.get("selected", True) and (not wanted or one["name"] in wanted)
    ]
    if missing := wanted - {resource.name for resource in resources}:
        raise UserError(
            f'"{min(missing)}" is not a table of this pipeline.',
            field="options.resources",
            remedy=near(min(missing), [one["name"] for one in given]),
        )
    if not resources:
        raise UserError("There is no table to load.", field="resources")
    if spec.get("mode") != "full_database":
        for problem in unfit_targets(resources).values():
            raise problem
    return resources


def _whole_database(
    spec: dict[str, Any], given: list[dict[str, Any]], tables: Sequence[str], schema: str
) -> list[dict[str, Any]]:
    settings = {one["name"]: one for one in given}
    known = set(tables)
    for name in settings:
        if name not in known:
            raise missing_table(name, schema, tables)
    included, excluded = matcher(spec.get("include") or ["*"]), matcher(spec.get("exclude") or [])
    names = [name for name in tables if name in settings or (included(name) and not excluded(name))]
    return [settings.get(name, {"name": name}) for name in names]


def missing_table(name: str, schema: str, names: Sequence[str]) -> UserError:
    where = f" in {schema}" if schema else ""
    return MissingTable(
        f'There is no table "{name}"{where}.', field=f"resources.{name}", remedy=near(name, names)
    )


def unfit_targets(resources: list[Resource]) -> dict[str, UserError]:
    """By label the resources whose target cannot be, or is another's already; of a whole database they fail alone."""
    seen: dict[str, Resource] = {}
    found: dict[str, UserError] = {}
    for resource in resources:
        field = f"resources.{resource.name}.target"
        if "." in resource.target or "/" in resource.target or resource.target.startswith("_dlt"):
            found[resource.label] = UserError(
                f'"{resource.target}" cannot be the name of a table.',
                field=field,
                remedy="Give it a target of letters, digits and underscores in its settings.",
            )
        elif other := seen.get(resource.target.lower()):
            found[resource.label] = UserError(
                f'{other.label} and {resource.label} would both be loaded into "{resource.target}".',
                field=field,
                remedy="Give one of them another target in its settings.",
            )
        else:
            seen[resource.target.lower()] = resource
    return found
