"""Schedules: the list, the form with its live preview, pausing and deleting."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say
from orchestration import cron, links, services
from orchestration.errors import InvalidCron
from orchestration.forms import ScheduleForm, put_error, target_choices
from orchestration.models import Schedule
from orchestration.requests import DAG
from orchestration.selectors import schedules_of

PREVIEW, SHOWN = 5, 3


@dataclass(frozen=True)
class Start:
    at: datetime
    #: The distance of the clock to UTC changed since the start before: daylight saving.
    shifted: bool

    @property
    def text(self) -> str:
        return f"{self.at:%a %d %b %Y, %H:%M} {self.at.tzname()}"


@dataclass(frozen=True)
class Preview:
    words: str
    starts: list[Start]

    @property
    def shift(self) -> str:
        """A sentence when clocks change between two of the starts."""
        for before, start in zip(self.starts, self.starts[1:], strict=False):
            if start.shifted:
                earlier, later = _offset(before.at), _offset(start.at)
                return _(
                    "Clocks change between the starts of %(first)s and %(second)s: from UTC%(a)s to"
                    " UTC%(b)s. The start keeps its local time; a time that does not exist that day"
                    " moves behind the gap."
                ) % {
                    "first": f"{before.at:%d %b}",
                    "second": f"{start.at:%d %b}",
                    "a": earlier,
                    "b": later,
                }
        return ""


def preview_of(expression: str, zone: str, count: int = PREVIEW) -> Preview:
    """The next starts by the code that fires them. Raises ``InvalidCron`` naming the field."""
    cron.zone_of(zone)
    times = cron.next_times(expression, zone, timezone.now(), count)
    return Preview(cron.in_words(expression), list(_starts(times)))


def _starts(times: list[datetime]) -> Iterator[Start]:
    before: datetime | None = None
    for moment in times:
        yield Start(moment, before is not None and before.utcoffset() != moment.utcoffset())
        before = moment


def _offset(moment: datetime) -> str:
    text = f"{moment:%z}"
    return f"{text[:3]}:{text[3:]}"


@require_GET
@requires(Permission.VIEW)
def schedule_list(request: OrganizationRequest) -> HttpResponse:
    rows = [_row(request, schedule) for schedule in schedules_of(request.organization)]
    query = request.GET.get("q", "").strip().lower()
    state = request.GET.get("state", "")
    shown = [
        row
        for row in rows
        if (not query or query in f"{row['schedule'].name} {row['what']}".lower())
        and (not state or row["schedule"].is_active == (state == "active"))
    ]
    context = {
        "rows": shown,
        "total": len(rows),
        "q": request.GET.get("q", ""),
        "filtered": bool(query or state),
        "can_edit": request.actor.can(Permission.EDIT),
        "states": [
            {"label": label, "url": f"?state={key}" if key else "?", "current": key == state}
            for key, label in (("", _("All")), ("active", _("Active")), ("paused", _("Paused")))
        ],
    }
    return render_page(request, "orchestration/schedule_list.html", context, partial="results")


def _row(request: OrganizationRequest, schedule: Schedule) -> dict[str, Any]:
    thing = None
    if schedule.node is not None:
        thing = schedule.node.pipeline or schedule.node.transformation
    alive = schedule.node is None or schedule.node.is_alive
    starts: list[datetime] = []
    if schedule.is_active and schedule.next_run_at:
        after = schedule.next_run_at - timedelta(seconds=1)
        starts = cron.next_times(schedule.cron, schedule.time_zone, after, SHOWN)
    return {
        "schedule": schedule,
        "what": thing.name if thing else _("Whole graph"),
        "url": links.key_url(request.organization, schedule.node.key if schedule.node else DAG)
        if alive
        else "",
        "alive": alive,
        "words": cron.in_words(schedule.cron),
        "starts": [_start_text(moment) for moment in starts],
    }


def _start_text(moment: datetime) -> str:
    near = abs(moment - timezone.now()) < timedelta(days=300)
    return f"{moment:%a %d %b, %H:%M}" if near else f"{moment:%d %b %Y, %H:%M}"


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
    }
    return _form_page(request, schedule, initial)


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
        "presets": cron.PRESETS,
        **_preview_context(form["cron"].value() or "", form["time_zone"].value() or ""),
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


def _preview_context(expression: str, zone: str) -> dict[str, Any]:
    try:
        return {"preview": preview_of(expression, zone), "problem": None}
    except InvalidCron as error:
        return {"preview": None, "problem": error}


@require_GET
@requires(Permission.EDIT)
def schedule_preview(request: OrganizationRequest) -> HttpResponse:
    """The next starts of ``?cron=&time_zone=``; with ``preset`` the cron field too, filled with it."""
    preset = request.GET.get("preset", "")
    expression = preset or request.GET.get("cron", "")
    zone = request.GET.get("time_zone") or request.organization.time_zone
    form = ScheduleForm(choices=[], initial={"cron": expression.strip(), "time_zone": zone})
    context = {
        "form": form,
        "presets": cron.PRESETS,
        **_preview_context(expression, zone),
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
