"""The wizard: every step its own URL, saved on the server, so that a closed tab loses nothing."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import UserError
from common.http import get_or_404, say
from connections.models import Connection
from pipelines import services
from pipelines.definition import PIPELINE_KEYS, PipelineDefinition, ResourceDefinition
from pipelines.draft_pages import draft_page
from pipelines.errors import InvalidPipeline
from pipelines.forms import DestinationForm, put_error
from pipelines.holders import DraftHolder
from pipelines.models import Mode, Pipeline
from pipelines.selectors import destinations_of, sources_of
from pipelines.services import pipeline_slug
from pipelines.settings_form import DefaultForm
from pipelines.views_resources import edit_resource, find_draft, find_pipeline
from pipelines.wizard import Draft, choose_source, propose_dataset, propose_name
from pipelines.wording import how_words, resource_sentence, sentences, what_words
from pipelines.yaml import to_yaml
from tenants.models import User

# --- source ---------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def pipeline_create(request: OrganizationRequest) -> HttpResponse:
    """The first step; the draft begins with the choice of a source, not with a look at the page."""
    if request.method == "POST":
        source = _chosen(request)
        assert isinstance(request.user, User)
        row = services.start_draft(
            organization=request.organization,
            actor=request.actor,
            user=request.user,
            data={"source": source.slug},
        )
        return redirect(Draft.load(row).url("what"))
    return draft_page(request, None, "source", {"sources": sources_of(request.organization)})


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def draft_source(request: OrganizationRequest, draft: int) -> HttpResponse:
    found = find_draft(request, draft)
    if request.method == "POST":
        changes = choose_source(found, _chosen(request))
        services.save_draft(draft=found.row, actor=request.actor, changes=changes)
        return redirect(found.url("what"))
    return draft_page(request, found, "source", {"sources": sources_of(request.organization)})


def _chosen(request: OrganizationRequest) -> Connection:
    rows = Connection.objects.for_organization(request.organization)
    return get_or_404(rows, slug=request.POST.get("source", ""))


# --- how ------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def draft_how(request: OrganizationRequest, draft: int) -> HttpResponse:
    """One table is set here; files and the tables of a database each on a page of their own."""
    found = find_draft(request, draft)
    if "what" not in found.finished():
        return redirect(found.url(found.next_step()))
    holder = DraftHolder(found)
    if found.mode == Mode.SINGLE_TABLE:
        done = found.url("destination")
        return edit_resource(request, holder, 0, done=done, say_saved=False)
    form = DefaultForm(request.POST or None, initial=holder.defaults)
    if request.method == "POST" and form.is_valid() and _save_defaults(request, found, form):
        return redirect(found.url("destination"))
    rows = [_row(holder, i, one) for i, one in enumerate(holder.resources)]
    context = {
        "form": form,
        "rows": rows,
        "mode": found.mode,
        "add_url": holder.url("add") if found.mode == Mode.FULL_DATABASE else "",
    }
    status = 422 if request.method == "POST" else 200
    return draft_page(request, found, "how", context, status=status)


def _save_defaults(request: OrganizationRequest, draft: Draft, form: DefaultForm) -> bool:
    """Kept where every table can be written so; else what is wrong stands at the form."""
    changes = form.values()
    services.save_draft(draft=draft.row, actor=request.actor, changes=changes)
    known = {key: draft.data[key] for key in PIPELINE_KEYS if key in draft.data}
    try:
        # Name and schema come with the next step.
        PipelineDefinition.parse({**known, "name": "-", "dataset": "x"})
    except UserError as error:
        put_error(form, error)
        return False
    return True


def _row(holder: DraftHolder, position: int, resource: dict[str, Any]) -> dict[str, Any]:
    own = ResourceDefinition.parse(resource, where="resource")
    return {
        "name": own.name,
        "words": resource_sentence(own),
        "url": holder.url("edit", position),
        "remove_url": holder.url("remove", position),
    }


# --- destination ----------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def draft_destination(request: OrganizationRequest, draft: int) -> HttpResponse:
    found = find_draft(request, draft)
    if not {"what", "how"} <= found.finished():
        return redirect(found.url(found.next_step()))
    destinations = destinations_of(request.organization)
    first = found.destination or (destinations[0] if len(destinations) == 1 else None)
    name = found.data.get("name") or propose_name(found)
    initial = {
        "name": name,
        "description": found.data.get("description", ""),
        "destination": first.slug if first else "",
        "dataset": found.data.get("dataset") or propose_dataset(name, first),
    }
    form = DestinationForm(request.POST or None, destinations=destinations, initial=initial)
    if request.method == "POST" and form.is_valid():
        changes = dict(form.cleaned_data)
        if not changes["dataset"]:
            chosen = next(one for one in destinations if one.slug == changes["destination"])
            changes["dataset"] = propose_dataset(changes["name"], chosen)
        services.save_draft(draft=found.row, actor=request.actor, changes=changes)
        if not (problem := _problem(Draft.load(found.row))):
            return redirect(found.url("review"))
        if problem.field not in form.fields:
            # Another step has to mend it; the review says which.
            return redirect(found.url("review"))
        put_error(form, problem)
    context = {"form": form, "destinations": destinations}
    return draft_page(
        request, found, "destination", context, status=422 if request.method == "POST" else 200
    )


def _problem(draft: Draft) -> UserError | None:
    """Why this draft could not be created as it stands."""
    try:
        definition = draft.definition()
        assert draft.source is not None
        assert draft.destination is not None
        services.check_endpoints(draft.source, draft.destination, definition)
    except UserError as error:
        return error
    return None


# --- review ---------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def draft_review(request: OrganizationRequest, draft: int) -> HttpResponse:
    found = find_draft(request, draft)
    problem = _problem(found)
    if request.method == "POST" and not problem:
        try:
            return _create(request, found)
        except UserError as error:
            problem = error
    context: dict[str, Any] = {"problem": problem, "fix_url": _fix_url(found, problem)}
    try:
        definition = found.definition()
    except InvalidPipeline:
        definition = None
    if definition and found.source and found.destination:
        ends = {"source": found.source.slug, "destination": found.destination.slug}
        context |= {
            "sentences": sentences(definition, found.source, found.destination),
            "yaml": to_yaml(definition, **ends),
            "definition": definition,
            "what": what_words(definition),
            "how": how_words(definition),
            "target": f"pipeline:{pipeline_slug(request.organization, definition.name)}",
        }
    return draft_page(
        request, found, "review", context, status=422 if request.method == "POST" else 200
    )


def _create(request: OrganizationRequest, draft: Draft) -> HttpResponse:
    assert draft.source is not None
    assert draft.destination is not None
    pipeline = services.create_from_draft(
        draft=draft.row,
        actor=request.actor,
        source=draft.source,
        destination=draft.destination,
        definition=draft.definition(),
    )
    say(request, _("Pipeline %(name)s created") % {"name": pipeline.name})
    slug = request.organization.slug
    expected = request.POST.get("target") == f"pipeline:{pipeline.slug}"
    if request.POST.get("action") == "run" and expected:
        # 307 sends this form on as it is: starting runs belongs to a page above this app.
        return redirect(reverse("orchestration:run-create", args=[slug]), preserve_request=True)
    return redirect("pipelines:pipeline-detail", slug, pipeline.slug)


def _fix_url(draft: Draft, problem: UserError | None) -> str:
    """The step where what is wrong can be mended."""
    if problem is None:
        return ""
    name = problem.field.split(".")[0].split("[")[0]
    steps = {
        "source": "source",
        "mode": "what",
        "source_schema": "what",
        "include": "what",
        "exclude": "what",
        "write_disposition": "how",
        "merge_strategy": "how",
        "schema_contract": "how",
        "verify": "how",
        "resources": "how" if "what" in draft.finished() else "what",
    }
    return draft.url(steps.get(name, "destination"))


# --- unfinished ones ------------------------------------------------------------------------------


@require_POST
@requires(Permission.EDIT)
def draft_discard(request: OrganizationRequest, draft: int) -> HttpResponse:
    found = find_draft(request, draft)
    services.discard_draft(draft=found.row, actor=request.actor)
    say(request, _("Draft discarded"))
    return redirect("pipelines:pipeline-list", request.organization.slug)


@require_POST
@requires(Permission.EDIT)
def pipeline_duplicate(request: OrganizationRequest, slug: str) -> HttpResponse:
    """A draft like the pipeline; it needs a schema of its own, which is proposed."""
    pipeline: Pipeline = find_pipeline(request, slug)
    definition = services.definition_of(pipeline).as_dict()
    assert isinstance(request.user, User)
    name = _("Copy of %(name)s") % {"name": pipeline.name}
    row = services.start_draft(
        organization=request.organization,
        actor=request.actor,
        user=request.user,
        data={
            **definition,
            "name": name[:80],
            "source": pipeline.source.slug,
            "destination": pipeline.destination.slug,
            "dataset": "",
        },
    )
    return redirect(Draft.load(row).url("destination"))
