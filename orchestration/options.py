"""The options of a run: for whom they hold, and how its row keeps them."""

from dataclasses import replace
from typing import Any

from orchestration.models import Run, RunStep
from pipelines.models import Pipeline
from pipelines.runner import USUAL, InvalidLoadOptions, LoadOptions, check_options
from transforms.models import Transformation


def check_for(thing: Pipeline | Transformation | None, options: LoadOptions) -> None:
    """``InvalidLoadOptions`` when the target, or the graph (None), cannot be asked for them."""
    if isinstance(thing, Pipeline):
        check_options(thing, options)
    elif field := options.first_field:
        raise InvalidLoadOptions(
            "This can be asked of a single pipeline only.",
            field=field,
            remedy="Start a run of pipeline:<slug>, or leave it out.",
        )


def as_json(options: LoadOptions) -> dict[str, Any]:
    """For ``Run.options``; a usual run keeps nothing."""
    return {} if options == USUAL else options.as_json()


def options_of(run: Run) -> LoadOptions:
    """What was asked of the run's target."""
    # Runs from before there were other options have this one alone.
    return replace(LoadOptions.from_json(run.options), full_refresh=run.full_refresh)


def options_for(step: RunStep) -> LoadOptions:
    """What a step's pipeline is asked for: when it is not the run's target, only the full refresh."""
    if step.pipeline and step.run.target == f"pipeline:{step.pipeline.slug}":
        return options_of(step.run)
    return LoadOptions(full_refresh=step.run.full_refresh)


def words_beside_title(options: LoadOptions) -> str:
    """Without the full refresh, which pages show as a mark of its own."""
    return replace(options, full_refresh=False).words()
