"""A whole pipeline without its endpoints."""

import re
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pipelines.definition.resource import ResourceDefinition
from pipelines.definition.rules import check_resource
from pipelines.definition.values import (
    IDENTIFIER,
    check_tags,
    choice,
    contract,
    items,
    known,
    names,
    plain,
    text,
    unique,
)
from pipelines.errors import InvalidPipeline
from pipelines.models import MergeStrategy, Mode, Verify, WriteDisposition

_QUERY_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")


@dataclass(frozen=True)
class PipelineDefinition:
    """Everything of a pipeline but its endpoints."""

    name: str
    dataset: str
    mode: Mode
    description: str = ""
    tags: tuple[str, ...] = ()
    source_schema: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    write_disposition: WriteDisposition = WriteDisposition.REPLACE
    merge_strategy: MergeStrategy = MergeStrategy.UPSERT
    schema_contract: dict[str, str] = field(default_factory=dict)
    verify: Verify = Verify.NONE
    resources: tuple[ResourceDefinition, ...] = ()

    @classmethod
    def parse(cls, data: Any) -> "PipelineDefinition":
        """From JSON, checked. Raises ``InvalidPipeline`` with the path of the key at fault."""
        data = known(data, PIPELINE_KEYS, "", "A pipeline")
        return cls(
            name=text(data, "name", "", 1000),
            description=text(data, "description", "", 10_000),
            tags=names(data, "tags", "", "tags"),
            dataset=text(data, "dataset", "", 1000),
            mode=choice(Mode, data, "mode", ""),
            source_schema=text(data, "source_schema", "", 255),
            include=names(data, "include", "", "patterns"),
            exclude=names(data, "exclude", "", "patterns"),
            write_disposition=choice(
                WriteDisposition, data, "write_disposition", "", WriteDisposition.REPLACE
            ),
            merge_strategy=choice(MergeStrategy, data, "merge_strategy", "", MergeStrategy.UPSERT),
            schema_contract=contract(data, ""),
            verify=choice(Verify, data, "verify", "", Verify.NONE),
            resources=tuple(
                ResourceDefinition.parse(item, where=f"resources[{i}]")
                for i, item in enumerate(items(data, "resources", "", "resources"))
            ),
        ).checked()

    def as_dict(self) -> dict[str, Any]:
        """What ``parse`` reads back to the same definition."""
        found = {key: plain(getattr(self, key)) for key in PIPELINE_KEYS if key != "resources"}
        return {**found, "resources": [resource.as_dict() for resource in self.resources]}

    def filled(self, resource: ResourceDefinition) -> ResourceDefinition:
        """The resource with the pipeline's settings where it has none of its own."""
        return replace(
            resource,
            write_disposition=resource.write_disposition or self.write_disposition,
            merge_strategy=resource.merge_strategy or self.merge_strategy,
            schema_contract=resource.schema_contract or self.schema_contract,
            verify=resource.verify or self.verify,
        )

    def checked(self) -> "PipelineDefinition":
        """Itself, or ``InvalidPipeline`` for what does not go together."""
        if not self.name.strip() or len(self.name) > 80:
            raise InvalidPipeline("A name of 1 to 80 characters is needed.", field="name")
        if not IDENTIFIER.match(self.dataset):
            raise InvalidPipeline(
                f"{self.dataset!r} cannot be a schema name.",
                field="dataset",
                remedy="Use lower-case letters, digits and underscores, beginning with a letter.",
            )
        check_tags(self.tags)
        self._check_mode()
        unique([r.name for r in self.resources], "name")
        # Upper and lower case are one in some destinations.
        unique([r.target.lower() for r in self.resources], "target")
        for i, resource in enumerate(self.resources):
            self._check_resource(resource, f"resources[{i}]")
        self._check_strategy()
        return self

    def _check_mode(self) -> None:
        selected = [r for r in self.resources if r.is_selected]
        if self.mode is Mode.SINGLE_TABLE and len(self.resources) != 1:
            raise InvalidPipeline("Choose exactly one table.", field="resources")
        if self.mode is Mode.FILES and not selected:
            raise InvalidPipeline("Choose at least one file.", field="resources")
        if self.mode is Mode.QUERY and not selected:
            raise InvalidPipeline("Write at least one query.", field="resources")
        for key in ("include", "exclude"):
            if getattr(self, key) and self.mode is not Mode.FULL_DATABASE:
                raise InvalidPipeline(
                    "Patterns choose tables of a whole database only.",
                    field=key,
                    remedy=f"Leave {key} out, or use the mode full_database.",
                )

    def _check_resource(self, resource: ResourceDefinition, where: str) -> None:
        if self.mode is Mode.QUERY:
            _check_query(resource, where)
        elif resource.query:
            raise InvalidPipeline(
                f"{resource.name!r} has a query, which only the mode query reads.",
                field=f"{where}.query",
                remedy="Leave the query out, or use the mode query.",
            )
        # Tables of a whole database that say nothing of their own are merged by the key the source declares.
        own = bool(resource.write_disposition) or self.mode is not Mode.FULL_DATABASE
        # Its own strategy: the pipeline's is for those resources that are merged.
        judged = replace(self.filled(resource), merge_strategy=resource.merge_strategy)
        check_resource(judged, where, takes_source_key=not own)

    def _check_strategy(self) -> None:
        merging = {self.filled(r).write_disposition for r in self.resources if r.is_selected}
        if self.mode is Mode.FULL_DATABASE:
            merging.add(self.write_disposition)
        if self.merge_strategy is MergeStrategy.SCD2 and WriteDisposition.MERGE not in merging:
            raise InvalidPipeline(
                "Only merge keeps every version, and no table here is merged.",
                field="merge_strategy",
                remedy="Choose merge, or leave the merge strategy out.",
            )


def _check_query(resource: ResourceDefinition, where: str) -> None:
    if not _QUERY_NAME.match(resource.name):
        raise InvalidPipeline(
            f"{resource.name!r} cannot be the name of a query.",
            field=f"{where}.name",
            remedy="Use letters, digits and underscores, beginning with a letter.",
        )
    if not resource.query:
        raise InvalidPipeline(
            f"The query {resource.name!r} has no SQL.",
            field=f"{where}.query",
            remedy="Write one SELECT statement.",
        )


_FIRST = ("name", "description", "tags", "mode", "dataset")
#: In the order people read them.
PIPELINE_KEYS = (
    *_FIRST,
    *(one.name for one in fields(PipelineDefinition) if one.name not in _FIRST),
)
