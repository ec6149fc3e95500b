"""The explanation of a failed step, with the places where it is put right."""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from connections.models import Connection
from orchestration import links
from orchestration.explanations.entry import Explanation, Place
from orchestration.explanations.matching import explain
from orchestration.models import RunStep, RunStepResult, StepKind
from transforms.models import Transformation

#: The systems that speak with a kind of mark, by the keys of their connectors.
_SPEAKERS = {
    "sqlstate": frozenset({"postgres"}),
    "postgres": frozenset({"postgres"}),
    "mysql": frozenset({"mysql"}),
    "sqlite": frozenset({"sqlite"}),
}


@dataclass(frozen=True)
class Link:
    label: str
    url: str
    #: Only an operator may open it.
    for_operators: bool = False


@dataclass(frozen=True)
class ExplainedStep:
    """What a page says of a failed step."""

    step: RunStep
    #: None for an error that is not known yet.
    explanation: Explanation | None
    links: tuple[Link, ...]
    #: The group of all errors like this one; empty where the step has no fingerprint.
    problem_url: str
    #: The connection it is about, in words; empty where it is about none, or may be about either.
    where: str = ""

    @property
    def said_above(self) -> bool:
        """Whether our own message is clear by itself; otherwise it stands below, in the other system's words."""
        found, step = self.explanation, self.step
        if found is None or not step.error_signature:
            return True
        return f"code:{step.error_code}" in found.marks and step.error_signature not in found.marks

    @property
    def remedy(self) -> str:
        """Our own remedy where it is about this very case ("Did you mean updated_at?")."""
        found = self.explanation
        own = self.step.error_remedy if self.said_above else ""
        return own or (str(found.remedy) if found else "")

    @property
    def words(self) -> str:
        """What the system said itself, for a box below the explanation."""
        step = self.step
        said = "" if self.said_above else step.error
        # Most of our messages quote the first line of it.
        detail = "" if step.error_detail and step.error_detail in step.error else step.error_detail
        return "\n".join(part for part in (said, detail) if part)


def explain_step(step: RunStep) -> ExplainedStep:
    """The explanation and its links. Best with pipeline (and its ends), connection and run at hand."""
    found = explain(step.error_code, step.error_signature, step.kind)
    made: list[Link] = []
    for place in found.places if found else (Place.PIPELINE, Place.TRANSFORMATION):
        made += _LINKS[place](step)
    problem = ""
    if step.fingerprint:
        problem = links.page(
            step.run.organization, "orchestration:problem-detail", step.fingerprint
        )
    # Two places may lead to one page.
    unique = {link.url: link for link in reversed(made)}
    where = _where(step) if found and Place.CONNECTION in found.places else ""
    return ExplainedStep(step, found, tuple(reversed(unique.values())), problem, where)


def _where(step: RunStep) -> str:
    ends = _ends(step)
    if len(ends) != 1:
        return ""
    words = {
        "source": _("the connection %s, its source"),
        "destination": _("the connection %s, its destination"),
        "": _("the connection %s"),
    }
    return words[_role(step, ends[0])] % ends[0].name


def _role(step: RunStep, end: Connection) -> str:
    pipeline = step.pipeline
    if pipeline is None or pipeline.source_id == pipeline.destination_id:
        return ""
    return "source" if end.pk == pipeline.source_id else "destination"


def _ends(step: RunStep) -> list[Connection]:
    """The end that it came from, or both where either may have said it."""
    pipeline = step.pipeline
    if pipeline is None:
        ends = [step.connection]
    else:
        by_name = {"source": pipeline.source, "destination": pipeline.destination}
        known = by_name.get(str(step.summary.get("end", "")))
        ends = [known] if known else list(by_name.values())
    found = [end for end in ends if end is not None and not end.is_deleted]
    speakers = _SPEAKERS.get(step.error_signature.partition(":")[0])
    spoke = [end for end in found if speakers and end.connector in speakers]
    return list(dict.fromkeys(spoke or found))


def _connections(step: RunStep) -> list[Link]:
    return [
        Link(
            _("Fix connection %s") % end.name, links.connection_url(step.run.organization, end.slug)
        )
        for end in _ends(step)
    ]


def _of_pipeline(name: str, label: Callable[[], str]) -> Callable[[RunStep], list[Link]]:
    def made(step: RunStep) -> list[Link]:
        pipeline = step.pipeline
        if pipeline is None or pipeline.is_deleted:
            return []
        return [
            Link(label(), links.page(step.run.organization, f"pipelines:{name}", pipeline.slug))
        ]

    return made


def _transformation(step: RunStep) -> list[Link]:
    if step.kind != StepKind.TRANSFORM:
        return []
    failed = RunStepResult.objects.for_organization(step.run.organization).filter(
        step=step, status="failed"
    )
    first = failed.order_by("pk").first()
    name = (first.details.get("model") or first.name) if first else _named_in(step)
    if not name:
        return []
    return [Link(_("Open %s") % name, links.transformation_url(step.run.organization, name))]


def _named_in(step: RunStep) -> str:
    """What did not even compile has no result. The error begins with its name, and it may be none of the step: all
    of them are read together.
    """
    named = step.error.partition(":")[0]
    rows = Transformation.objects.for_organization(step.run.organization)
    if rows.filter(name=named).exists():
        return named
    names = [key.partition(":")[2] for key in step.nodes if key.startswith("transformation:")]
    return names[0] if len(names) == 1 else ""


def _page(name: str, label: Callable[[], str]) -> Callable[[RunStep], list[Link]]:
    return lambda step: [Link(label(), links.page(step.run.organization, name))]


def _log(step: RunStep) -> list[Link]:
    return [Link(_("See the log"), f"{links.run_url(step.run)}#log-h")]


def _platform(step: RunStep) -> list[Link]:
    return [Link(_("Platform settings"), reverse("admin:index"), for_operators=True)]


_LINKS: dict[Place, Callable[[RunStep], list[Link]]] = {
    Place.CONNECTION: _connections,
    Place.TABLES: _of_pipeline("pipeline-tables", lambda: _("Open its tables")),
    Place.PIPELINE: _of_pipeline("pipeline-detail", lambda: _("Open pipeline")),
    Place.REJECTS: _of_pipeline("pipeline-rejects", lambda: _("Review refused rows")),
    Place.TRANSFORMATION: _transformation,
    Place.FILES: _page("connections:file-list", lambda: _("Open files")),
    Place.LINEAGE: _page("orchestration:lineage", lambda: _("Open lineage")),
    Place.TRASH: _page("orchestration:trash", lambda: _("Open trash")),
    Place.RUN_LOG: _log,
    Place.PLATFORM: _platform,
}
