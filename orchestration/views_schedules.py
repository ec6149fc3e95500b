"""Schedules: the list, the form with its live preview, pausing and deleting."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say
from orchestration import cron, links, services
from orchestration.errors import InvalidCron
from orchestration.forms import ScheduleForm, WallTimeField, put_error, target_choices
from orchestration.models import Schedule
from orchestration.requests import DAG
from orchestration.schedule_page import bounds_of, next_starts, preview_of, state_of
from orchestration.schedule_paging import page_of_schedules

SHOWN = 3
_TIMING = ("cron", "time_zone", "starts_at", "ends_at")


@require_GET
@requires(Permission.VIEW)
def schedule_list(request: OrganizationRequest) -> HttpResponse:
    query, state = request.GET.get("q", "").strip(), request.GET.get("state", "")
    page = page_of_schedules(
        request.organization,
        text=query,
        state=state,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    context = {
        "rows": [_row(request, schedule) for schedule in page.rows],
        "page": page,
        "total": page.total or Schedule.objects.for_organization(request.organization).exists(),
        "q": query,
        "filtered": bool(query or state),
        "can_edit": request.actor.can(Permission.EDIT),
        "paused_at": request.organization.schedules_paused_at,
        "paused_by": request.organization.schedules_paused_by,
        "states": [
            {"label": label, "url": f"?state={key}" if key else "?", "current": key == state}
            for key, label in (
                ("", _("All")),
                ("active", _("Active")),
                ("paused", _("Paused")),
                ("over", _("Over")),
            )
        ],
    }
    return render_page(request, "orchestration/schedule_list.html", context, partial="results")


def _row(request: OrganizationRequest, schedule: Schedule) -> dict[str, Any]:
    thing = None
    if schedule.node is not None:
        thing = schedule.node.pipeline or schedule.node.transformation
    alive = schedule.node is None or schedule.node.is_alive
    return {
        "schedule": schedule,
        "what": thing.name if thing else _("Whole graph"),
        "url": links.key_url(request.organization, schedule.node.key if schedule.node else DAG)
        if alive
        else "",
        "alive": alive,
        "words": cron.in_words(schedule.cron),
        "starts": next_starts(schedule, SHOWN),
        "state": state_of(schedule),
        "bounds": bounds_of(schedule),
    }


def _schedule(request: OrganizationRequest, slug: str) -> Schedule:
    rows = Schedule.objects.for_organization(request.organization)
    return get_or_404(
        rows.select_related("crontab", "node__pipeline", "node__transformation", "organization"),
        slug=slug,
    )


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def schedule_create(request: OrganizationRequest) -> HttpResponse:
    """``?target=<key>`` chooses beforehand what it starts."""
    initial = {
        "target": request.GET.get("target", DAG),
        "select": request.GET.get("select", ""),
        "cron": cron.PRESETS[2][1],
        "time_zone": request.organization.time_zone,
    }
    return _form_page(request, None, initial)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def schedule_update(request: OrganizationRequest, slug: str) -> HttpResponse:
    schedule = _schedule(request, slug)
    initial = {
        "name": schedule.name,
        "target": schedule.node.key if schedule.node else DAG,
        "select": schedule.select,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "missed": schedule.missed,
        "overlap": schedule.overlap,
        "starts_at": _on_the_wall(schedule.starts_at, schedule.time_zone),
        "ends_at": _on_the_wall(schedule.ends_at, schedule.time_zone),
    }
    return _form_page(request, schedule, initial)


def _on_the_wall(moment: datetime | None, zone: str) -> datetime | None:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if moment else None


def _form_page(
    request: OrganizationRequest, schedule: Schedule | None, initial: dict[str, Any]
) -> HttpResponse:
    choices = target_choices(request.organization)
    form = ScheduleForm(choices=choices, initial=initial)
    status = 200
    if preset := request.POST.get("preset"):
        # Without script a preset is a submit button: the form comes back with it, nothing is saved.
        data = {name: request.POST.get(name, "") for name in form.fields}
        form = ScheduleForm(choices=choices, initial={**initial, **data, "cron": preset})
    elif request.method == "POST":
        form = ScheduleForm(request.POST, choices=choices, initial=initial)
        if form.is_valid() and _saved(request, schedule, form):
            return redirect(links.page(request.organization, "orchestration:schedule-list"))
        status = 422
    context = {
        "form": form,
        "schedule": schedule,
        "state": state_of(schedule) if schedule else "",
        "presets": cron.PRESETS,
        **_preview_context({name: form[name].value() for name in _TIMING}),
    }
    return render_page(request, "orchestration/schedule_form.html", context, status=status)


def _saved(request: OrganizationRequest, schedule: Schedule | None, form: ScheduleForm) -> bool:
    data = {**form.cleaned_data}
    data["expression"] = data.pop("cron")
    try:
        if schedule is None:
            schedule = services.create_schedule(
                organization=request.organization, actor=request.actor, **data
            )
            text = _("“%s” is scheduled.")
        else:
            services.update_schedule(schedule=schedule, actor=request.actor, **data)
            text = _("“%s” is saved.")
    except DatanikaError as error:
        put_error(form, error)
        return False
    say(request, text % schedule.name)
    return True


def _preview_context(values: Mapping[str, Any]) -> dict[str, Any]:
    zone = values.get("time_zone") or ""
    try:
        bounds = [_bound(values.get(name), zone) for name in ("starts_at", "ends_at")]
        return {"preview": preview_of(values.get("cron") or "", zone, *bounds), "problem": None}
    except InvalidCron as error:
        return {"preview": None, "problem": error}


def _bound(value: Any, zone: str) -> datetime | None:
    """Half a date is no bound yet: the form says so when it is sent."""
    try:
        wall = WallTimeField().to_python(value)
    except ValidationError:
        return None
    return wall.replace(tzinfo=cron.zone_of(zone)) if wall else None


@require_GET
@requires(Permission.EDIT)
def schedule_preview(request: OrganizationRequest) -> HttpResponse:
    """The next starts of ``?cron=&time_zone=``; with ``preset`` the cron field too, filled with it."""
    preset = request.GET.get("preset", "")
    values = {name: request.GET.get(name, "").strip() for name in _TIMING}
    values["cron"] = preset or values["cron"]
    values["time_zone"] = values["time_zone"] or request.organization.time_zone
    context = {
        "form": ScheduleForm(choices=[], initial=values),
        "presets": cron.PRESETS,
        **_preview_context(values),
    }
    part = "when" if preset else "preview"
    return render_page(request, f"orchestration/schedule_form.html#{part}", context)


@require_POST
@requires(Permission.EDIT)
def schedule_toggle(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Pause an active schedule, resume a paused one."""
    schedule = _schedule(request, slug)
    active = not schedule.is_active
    services.set_schedule_active(schedule=schedule, actor=request.actor, active=active)
    text = _("“%s” is active again.") if active else _("“%s” is paused.")
    say(request, text % schedule.name)
    return redirect(links.page(request.organization, "orchestration:schedule-list"))


@require_POST
@requires(Permission.EDIT)
def schedule_delete(request: OrganizationRequest, slug: str) -> HttpResponse:
    schedule = _schedule(request, slug)
    services.delete_schedule(schedule=schedule, actor=request.actor)
    say(request, _("“%s” is in the trash.") % schedule.name)
    return redirect(links.page(request.organization, "orchestration:schedule-list"))


@require_POST
@requires(Permission.EDIT)
def schedule_pause_all(request: OrganizationRequest) -> HttpResponse:
    """Every schedule rests until somebody resumes them all."""
    services.pause_all_schedules(organization=request.organization, actor=request.actor)
    say(request, _("All schedules are paused."))
    return redirect(links.page(request.organization, "orchestration:schedule-list"))


@require_POST
@requires(Permission.EDIT)
def schedule_resume_all(request: OrganizationRequest) -> HttpResponse:
    services.resume_all_schedules(organization=request.organization, actor=request.actor)
    say(request, _("Schedules start runs again."))
    return redirect(links.page(request.organization, "orchestration:schedule-list"))
