"""The steps of the wizard and what it proposes. Pure but for the connections it looks up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connections.models import Connection
from pipelines.choosing import Picking
from pipelines.definition import PIPELINE_KEYS, PipelineDefinition, default_target
from pipelines.errors import InvalidPipeline
from pipelines.models import Mode, Pipeline, PipelineDraft
from pipelines.settings_form import BASE

STEPS = (
    ("source", gettext_lazy("Source")),
    ("what", gettext_lazy("What")),
    ("how", gettext_lazy("How")),
    ("destination", gettext_lazy("Destination")),
    ("review", gettext_lazy("Review")),
)


#: Some tables of a database: the mode full_database with patterns, and a page of its own.
CHOSEN = "chosen_tables"


@dataclass(frozen=True)
class Draft:
    """A draft with its connections found; None where none is chosen or it is gone by now."""

    row: PipelineDraft
    source: Connection | None
    destination: Connection | None

    @classmethod
    def load(cls, row: PipelineDraft) -> "Draft":
        living = Connection.objects.for_organization(row.organization)
        slugs = [row.data.get("source"), row.data.get("destination")]
        found = {connection.slug: connection for connection in living.filter(slug__in=slugs)}
        return cls(row, *(found.get(slug) for slug in slugs))

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.row.data
        return data

    @property
    def mode(self) -> str:
        return str(self.data.get("mode", ""))

    @property
    def schema(self) -> str:
        return str(self.data.get("source_schema", ""))

    @property
    def resources(self) -> list[dict[str, Any]]:
        return list(self.data.get("resources", []))

    @property
    def way(self) -> str:
        """How the choice was made: the mode, or ``CHOSEN``."""
        if self.mode == Mode.FULL_DATABASE and (
            self.data.get("include") or self.data.get("exclude")
        ):
            return CHOSEN
        return self.mode or str(Mode.SINGLE_TABLE)

    @property
    def queries(self) -> list[dict[str, Any]]:
        """The queries as they were typed, right or not."""
        typed = self.data.get("queries")
        return list(typed) if typed else [one for one in self.resources if one.get("query")]

    def picking(self, schema: str) -> Picking:
        """What is ticked of a schema so far, or what its patterns chose before."""
        kept = self.data.get("picking", {}).get(schema)
        if kept is not None:
            return Picking.of(kept)
        if schema != self.schema:
            return Picking()
        return Picking.of_patterns(self.data.get("include", []), self.data.get("exclude", []))

    @property
    def title(self) -> str:
        """What the list calls it."""
        if self.data.get("name"):
            return str(self.data["name"])
        parts = [str(self.source)] if self.source else []
        if self.mode == Mode.FULL_DATABASE:
            parts.append(_("chosen tables") if self.way == CHOSEN else _("all tables"))
        elif self.mode == Mode.QUERY:
            parts.append(", ".join(one["name"] for one in self.resources))
        elif len(self.resources) == 1:
            parts.append(self.resources[0]["name"])
        return ": ".join(parts) or _("Nothing chosen yet")

    def finished(self) -> set[str]:
        """The steps that have all they need."""
        done: set[str] = set()
        if self.source:
            done.add("source")
            whole = self.mode == Mode.FULL_DATABASE
            if self.mode and (whole or self.resources):
                done.add("what")
                # A single table is looked at first, for its key; the others have the pipeline's way.
                alone = self.mode == Mode.SINGLE_TABLE
                settings = self.resources[0] if alone else self.data
                if "write_disposition" in settings:
                    done.add("how")
        if self.destination and self.data.get("dataset") and self.data.get("name"):
            done.add("destination")
        return done

    def next_step(self) -> str:
        """The first step that still needs something."""
        done = self.finished()
        return next((key for key, _label in STEPS if key not in done), "review")

    def url(self, step: str) -> str:
        slug = self.row.organization.slug
        return reverse(f"pipelines:draft-{step}", args=[slug, self.row.pk])

    @property
    def resume_url(self) -> str:
        """Where "Continue" leads."""
        return self.url(self.next_step())

    def definition(self) -> PipelineDefinition:
        """The definition so far; ``InvalidPipeline`` while something is missing or wrong."""
        if self.source is None:
            raise InvalidPipeline("Choose a source first.", field="source")
        if self.destination is None:
            raise InvalidPipeline("Choose a destination first.", field="destination")
        return PipelineDefinition.parse(
            {key: self.data[key] for key in PIPELINE_KEYS if key in self.data}
        )


def step_items(draft: Draft | None, current: str) -> list[dict[str, Any]]:
    """For components/steps.html: finished steps are links, so that one may go back and forth."""
    done = draft.finished() if draft else set()
    items: list[dict[str, Any]] = []
    for key, label in STEPS:
        item: dict[str, Any] = {"key": key, "label": label, "state": ""}
        if key == current:
            item["state"] = "current"
        elif draft and key in done:
            item |= {"state": "done", "url": draft.url(key)}
        items.append(item)
    return items


def choose_source(draft: Draft, source: Connection) -> dict[str, Any]:
    """Another source makes what was chosen from the old one meaningless."""
    if draft.source == source:
        return {}
    keys = ("mode", "source_schema", "resources", "include", "exclude", "picking", "queries")
    return {"source": source.slug, **dict.fromkeys(keys)}


def choose_resources(
    draft: Draft,
    *,
    mode: Mode,
    schema: str,
    names: Sequence[str],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    queries: Sequence[dict[str, str]] = (),
) -> dict[str, Any]:
    """What to load. Tables, files and queries chosen before keep their settings."""
    same = draft.mode == mode and draft.schema == schema
    known = {one["name"]: one for one in draft.resources} if same else {}
    changes: dict[str, Any] = {
        "mode": mode,
        "source_schema": schema,
        "include": list(include) or None,
        "exclude": list(exclude) or None,
    }
    if mode is Mode.SINGLE_TABLE:
        # It says all for itself.
        changes |= dict.fromkeys(BASE)
    else:
        changes["write_disposition"] = (
            draft.data.get("write_disposition") or BASE["write_disposition"]
        )
    if mode is Mode.FULL_DATABASE:
        return {**changes, "resources": list(known.values())}
    resources = [known.get(name) or {"name": name} for name in names]
    resources += [{**known.get(one["name"], {}), **one} for one in queries]
    return {**changes, "resources": with_targets(resources)}


def with_targets(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every resource with a table name of its own; given ones stay."""
    taken = {one["target"] for one in resources if one.get("target")}
    named: list[dict[str, Any]] = []
    for one in resources:
        if not one.get("target"):
            base = candidate = default_target(one["name"])
            number = 1
            while candidate in taken:
                number += 1
                candidate = f"{base[:59]}_{number}"
            taken.add(candidate)
            one = {**one, "target": candidate}
        named.append(one)
    return named


def propose_name(draft: Draft) -> str:
    """A name made of what is copied: "Shop orders"."""
    source = str(draft.source) if draft.source else ""
    if draft.mode == Mode.SINGLE_TABLE and draft.resources:
        return f"{source}: {draft.resources[0]['name']}"[:80]
    return source[:80]


def propose_dataset(name: str, destination: Connection | None) -> str:
    """A free schema name made of the pipeline's name: ``raw_shop_orders``."""
    base = f"raw_{slugify(name).replace('-', '_')}"[:58].rstrip("_") or "raw"
    if destination is None:
        return base
    rows = Pipeline.objects.for_organization(destination.organization)
    rows = rows.filter(destination=destination, dataset__startswith=base)
    taken = set(rows.values_list("dataset", flat=True))
    candidate, number = base, 1
    while candidate in taken:
        number += 1
        candidate = f"{base}_{number}"
    return candidate
