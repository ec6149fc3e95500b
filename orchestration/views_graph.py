"""Changing the graph by hand: dependencies with their windows, and the rules of nodes."""

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say
from orchestration import services
from orchestration.engine.freshness import words_of
from orchestration.forms import put_error
from orchestration.forms_graph import DependencyForm, WindowForm, node_choices, window_initial
from orchestration.lineage import explicit_dependencies
from orchestration.links import page
from orchestration.models import Dependency
from tenants.models import Organization


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def dependency_create(request: OrganizationRequest) -> HttpResponse:
    """Let one node wait for another; the page lists what was drawn already."""
    organization = request.organization
    initial = {name: request.GET.get(name, "") for name in ("upstream", "downstream")}
    form = DependencyForm(request.POST or None, choices=node_choices(organization), initial=initial)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                services.add_dependency(
                    organization=organization,
                    actor=request.actor,
                    upstream=form.cleaned_data["upstream"],
                    downstream=form.cleaned_data["downstream"],
                    max_age_seconds=form.seconds(),
                    rule=form.cleaned_data["rule"],
                )
            except DatanikaError as error:
                _show(form, error)
            else:
                say(request, _("The dependency is added."))
                return redirect(_node_url(organization, form.cleaned_data["downstream"]))
    drawn = [
        (row, words_of(row.max_age_seconds) if row.max_age_seconds else "")
        for row in explicit_dependencies(organization)
    ]
    context = {"form": form, "dependencies": drawn}
    return render_page(request, "orchestration/dependency_create.html", context, status=status)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def dependency_update(request: OrganizationRequest, pk: int) -> HttpResponse:
    """The freshness window of one dependency."""
    dependency = _dependency(request, pk)
    form = WindowForm(request.POST or None, initial=window_initial(dependency.max_age_seconds))
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                services.update_dependency(
                    dependency=dependency, actor=request.actor, max_age_seconds=form.seconds()
                )
            except DatanikaError as error:
                _show(form, error)
            else:
                say(request, _("The window is saved; runs that were requested keep theirs."))
                return redirect(_node_url(request.organization, dependency.downstream.key))
    context = {"form": form, "dependency": dependency}
    return render_page(request, "orchestration/dependency_update.html", context, status=status)


@require_POST
@requires(Permission.EDIT)
def dependency_delete(request: OrganizationRequest, pk: int) -> HttpResponse:
    dependency = _dependency(request, pk)
    key = dependency.downstream.key
    services.remove_dependency(dependency=dependency, actor=request.actor)
    say(request, _("The dependency is removed; what SQL implies stays."))
    return redirect(_node_url(request.organization, key))


@require_POST
@requires(Permission.EDIT, grantable="named node")
def node_rule(request: OrganizationRequest) -> HttpResponse:
    """How many upstreams of ``node`` (a key) have to succeed: ``rule``."""
    key = request.POST.get("node", "")
    services.set_rule(
        organization=request.organization,
        actor=request.actor,
        key=key,
        rule=request.POST.get("rule", ""),
    )
    say(request, _("The rule is saved; runs that were requested keep theirs."))
    return redirect(_node_url(request.organization, key))


def _show(form: Form, error: DatanikaError) -> None:
    # The window is two fields here.
    if error.field == "max_age_seconds":
        error.field = "amount"
    put_error(form, error)


def _dependency(request: OrganizationRequest, pk: int) -> Dependency:
    rows = Dependency.objects.for_organization(request.organization)
    found: Dependency = get_or_404(
        rows.select_related(
            "organization",
            "downstream__pipeline",
            "downstream__transformation",
            "upstream__pipeline",
            "upstream__transformation",
        ),
        pk=pk,
    )
    return found


def _node_url(organization: Organization, key: str) -> str:
    return f"{page(organization, 'orchestration:lineage')}?{urlencode({'node': key})}"
