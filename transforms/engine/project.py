"""The dbt project as rows: what they are, how they become files, what their SQL refers to. Pure."""

from transforms.engine.references import References, references
from transforms.engine.rendering import render
from transforms.engine.rows import (
    MATERIALIZATIONS,
    SEVERITIES,
    TEST_KINDS,
    ColumnRow,
    ProjectRows,
    SourceRow,
    SourceTable,
    TestRow,
    TransformationRow,
    check_name,
)

__all__ = [
    "MATERIALIZATIONS",
    "SEVERITIES",
    "TEST_KINDS",
    "ColumnRow",
    "ProjectRows",
    "References",
    "SourceRow",
    "SourceTable",
    "TestRow",
    "TransformationRow",
    "check_name",
    "references",
    "render",
]
