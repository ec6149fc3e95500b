"""Errors explained: which cause an error has, what to do about it, who can, and where."""

from orchestration.explanations.catalogue import CATALOGUE
from orchestration.explanations.entry import Explanation, Kind, Place, Who
from orchestration.explanations.fingerprints import fingerprint_of
from orchestration.explanations.matching import explain
from orchestration.explanations.steps import ExplainedStep, explain_step

__all__ = [
    "CATALOGUE",
    "ExplainedStep",
    "Explanation",
    "Kind",
    "Place",
    "Who",
    "explain",
    "explain_step",
    "fingerprint_of",
]
