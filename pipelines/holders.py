"""The tables of a draft and of a pipeline look the same to the pages that set them."""

from abc import ABC, abstractmethod
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from common.errors import NotFound, UserError
from connections import runner
from connections.models import Connection
from pipelines import services
from pipelines.definition import PipelineDefinition
from pipelines.models import Mode, Pipeline, WriteDisposition
from pipelines.settings_form import BASE
from pipelines.wizard import Draft, step_items, with_targets
from tenants.actors import Actor


class Holder(ABC):
    """Something whose tables are being set: a draft of the wizard, or a pipeline."""

    source: Connection
    schema: str
    mode: str
    resources: list[dict[str, Any]]
    #: The version shown, so that two people do not overwrite each other; None for a draft.
    version: int | None = None

    @abstractmethod
    def save(
        self, actor: Actor, resources: list[dict[str, Any]], *, version: int | None = None
    ) -> None:
        """Keep these tables instead. Raises ``UserError`` for what does not fit."""

    @abstractmethod
    def url(self, name: str, *args: Any) -> str:
        """Of one of its pages: ``list``, ``edit``, ``add``, ``remove``."""

    @abstractmethod
    def context(self) -> dict[str, Any]:
        """What its templates show around the form."""

    @property
    def dispositions(self) -> frozenset[str]:
        return frozenset(WriteDisposition.values)

    @property
    @abstractmethod
    def defaults(self) -> dict[str, Any]:
        """What holds for tables that do not say otherwise."""

    @property
    def inherited(self) -> dict[str, Any] | None:
        """The defaults where a table may leave something to them; a single table has nobody to leave it to."""
        alone = self.mode == Mode.SINGLE_TABLE and self.defaults == BASE
        return None if alone else self.defaults

    @property
    def save_label(self) -> str:
        words = {str(Mode.FILES): _("Save file"), str(Mode.QUERY): _("Save query")}
        return words.get(self.mode, _("Save table"))

    @property
    def may_remove(self) -> bool:
        """Whether a table may go: settings apart always, what is loaded only where something else is left."""
        if self.mode == Mode.FULL_DATABASE:
            return True
        return self.mode != Mode.SINGLE_TABLE and len(self.resources) > 1

    def query_of(self, name: str) -> str:
        """The SQL of a query; empty for tables and files."""
        return next((one.get("query", "") for one in self.resources if one["name"] == name), "")

    def resource(self, position: int) -> dict[str, Any]:
        if position >= len(self.resources):
            raise NotFound("There is no such table in this pipeline.")
        return self.resources[position]

    def put(
        self, actor: Actor, position: int, settings: dict[str, Any], version: int | None
    ) -> None:
        """One table's settings in place of the old ones."""
        changed = [*self.resources]
        changed[position] = settings
        self.save(actor, changed, version=version)

    def add(self, actor: Actor, name: str) -> int:
        """A table with settings of its own; its position."""
        names = [one["name"] for one in self.resources]
        if name in names:
            return names.index(name)
        self.save(actor, with_targets([*self.resources, {"name": name}]))
        return len(names)

    def remove(self, actor: Actor, position: int) -> str:
        """Its settings are forgotten; its name."""
        name: str = self.resource(position)["name"]
        self.save(actor, [one for i, one in enumerate(self.resources) if i != position])
        return name

    def describe(
        self, name: str, query: str = ""
    ) -> tuple[dict[str, Any] | None, UserError | None]:
        """Columns and key of a table as its source declares them, or why it did not say."""
        try:
            return runner.describe(self.source, schema=self.schema, table=name, query=query), None
        except UserError as error:
            return None, error


class DraftHolder(Holder):
    def __init__(self, draft: Draft) -> None:
        if draft.source is None or not draft.mode:
            raise NotFound(
                "This draft has no source yet.", remedy="Go back to its first step and choose one."
            )
        self.draft = draft
        self.source, self.schema, self.mode = draft.source, draft.schema, draft.mode
        self.resources = draft.resources

    @property
    def defaults(self) -> dict[str, Any]:
        return {key: self.draft.data.get(key) or value for key, value in BASE.items()}

    def save(
        self, actor: Actor, resources: list[dict[str, Any]], *, version: int | None = None
    ) -> None:
        services.save_draft(draft=self.draft.row, actor=actor, changes={"resources": resources})
        self.resources = resources

    def url(self, name: str, *args: Any) -> str:
        pages = {"list": "draft-how", "edit": "draft-resource"}
        page = pages.get(name, f"draft-resource-{name}")
        slug = self.source.organization.slug
        return reverse(f"pipelines:{page}", args=[slug, self.draft.row.pk, *args])

    def context(self) -> dict[str, Any]:
        return {
            "draft": self.draft,
            "steps": step_items(self.draft, "how"),
            "save_label": _("Continue") if self.mode == Mode.SINGLE_TABLE else self.save_label,
        }


class PipelineHolder(Holder):
    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.source, self.mode = pipeline.source, pipeline.mode
        self.schema, self.version = pipeline.source_schema, pipeline.version
        self.definition = services.definition_of(pipeline)
        self.resources = [one.as_dict() for one in self.definition.resources]

    @property
    def dispositions(self) -> frozenset[str]:
        return self.pipeline.destination.type.capabilities.write_dispositions

    @property
    def defaults(self) -> dict[str, Any]:
        whole = self.definition.as_dict()
        return {key: whole[key] for key in BASE}

    def save(
        self, actor: Actor, resources: list[dict[str, Any]], *, version: int | None = None
    ) -> None:
        self.change(actor, {"resources": resources}, version=version)
        self.resources = resources

    def change(self, actor: Actor, values: dict[str, Any], *, version: int | None) -> None:
        """Keep these values of its definition. Raises ``UserError`` for what does not fit."""
        services.update_pipeline(
            pipeline=self.pipeline,
            actor=actor,
            definition=PipelineDefinition.parse(self.definition.as_dict() | values),
            expected_version=version,
        )

    def url(self, name: str, *args: Any) -> str:
        pages = {"list": "pipeline-tables", "edit": "resource-update"}
        page = pages.get(name, f"resource-{name}")
        slug = self.source.organization.slug
        return reverse(f"pipelines:{page}", args=[slug, self.pipeline.slug, *args])

    def context(self) -> dict[str, Any]:
        return {"pipeline": self.pipeline, "save_label": self.save_label}
