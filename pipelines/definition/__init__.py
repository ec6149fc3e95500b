"""A pipeline as people describe it, before it is rows: parsed, checked, and nothing silently dropped."""

from pipelines.definition.filters import LIST_OPERATORS
from pipelines.definition.lookback import canonical_lookback
from pipelines.definition.pipeline import PIPELINE_KEYS, PipelineDefinition
from pipelines.definition.resource import ResourceDefinition
from pipelines.definition.values import IDENTIFIER, default_target

__all__ = [
    "IDENTIFIER",
    "LIST_OPERATORS",
    "PIPELINE_KEYS",
    "PipelineDefinition",
    "ResourceDefinition",
    "canonical_lookback",
    "default_target",
]
