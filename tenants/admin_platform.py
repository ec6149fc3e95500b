"""The platform settings for operators: one row, and each field says what is in force and where that comes from."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminURLFieldWidget
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from common.errors import UserError
from common.http import client_ip
from tenants import limits, restrictions, restrictions_form, services
from tenants.actors import Actor
from tenants.models import Organization, PlatformSettings, User

_STEP_WORDS = {
    "step_timeout_seconds": ("Time", "Seconds that a step may run. 0 is no limit."),
    "step_memory_mb": ("Memory", "MiB of memory of its child process. 0 is no limit."),
    "step_cpu_seconds": ("Processor time", "Seconds on the processor. 0 is no limit."),
    "step_disk_mb": ("Disk", "MiB in its directories on the worker. 0 is no limit."),
}
_WORDS = {
    "max_concurrent_steps": (
        "Steps at the same time",
        "On all workers together. Empty: as many as the workers have slots.",
    ),
    **_STEP_WORDS,
    "log_retention_days": ("Logs", "Days. Empty: as long as their run."),
    "run_retention_days": (
        "Runs",
        "Days, with steps, results and attempts. The last success of each node stays. Empty: for ever.",
    ),
    "capsule_retention_days": (
        "Capsules",
        "Days that a run knows exactly what was run. Empty: as long as the run.",
    ),
    "audit_retention_days": ("Audit events", "Days. Empty: for ever."),
    "trash_retention_days": (
        "Trash",
        "Days until what was deleted is removed for good. Empty: until somebody removes it.",
    ),
    "organization_grace_days": (
        "Deleted organizations",
        "Days in which an owner can restore one.",
    ),
    "api_key_days": ("A new API key", "Days until it expires, unless its maker says otherwise."),
    "api_key_most_days": (
        "At the most",
        "Days that the maker of a key may choose. Empty: as many as they like, also for ever.",
    ),
    "egress_policy": (
        "Addresses",
        "Which ones connections may dial. Metadata services are never reachable. Empty: as the environment says.",
    ),
    "allowed_file_roots": (
        "Directories",
        "Absolute paths, one a line, that every organization may read. Empty: as the environment says;"
        " a hyphen alone: none.",
    ),
    "heartbeat_url": (
        "Dead-man's ping",
        "Asked for every minute while the scheduler lives, so that a monitor elsewhere notices when it does not.",
    ),
}


def refuse(form: forms.BaseForm, error: UserError) -> None:
    """The service's refusal at its field."""
    form.add_error(error.field if error.field in form.fields else None, str(error))


class PlatformForm(forms.ModelForm[PlatformSettings]):
    heartbeat_url = forms.URLField(
        required=False,
        max_length=500,
        assume_scheme="https",
        widget=AdminURLFieldWidget(attrs={"size": 80}),
    )

    egress_policy = forms.ChoiceField(
        required=False, choices=[("", "As the environment says"), *restrictions.EGRESS.items()]
    )
    allowed_file_roots = restrictions_form.RootsField(required=False)

    class Meta:
        model = PlatformSettings
        fields = limits.PLATFORM_NAMES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label, text = _WORDS[name]
            field.help_text = format_html("{}<br>{}", text, limits.origin(self.instance, name))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                services.check_platform(values)
            except UserError as error:
                refuse(self, error)
        return values


@admin.register(PlatformSettings)
class PlatformSettingsAdmin(admin.ModelAdmin[PlatformSettings]):
    form = PlatformForm
    readonly_fields = ("updated_at",)
    fieldsets = (
        ("Steps", {"fields": ("max_concurrent_steps",)}),
        (
            "Limits of one step",
            {
                "fields": tuple(_STEP_WORDS),
                "description": "Over a limit the step fails and says which. Organizations may have their own limits. "
                "Empty takes what the environment says.",
            },
        ),
        (
            "Retention",
            {
                "fields": tuple(limits.RETENTION),
                "description": "What is older is taken away every hour. What that would be now, and how much room "
                "there is, stands under Orchestration, Storage.",
            },
        ),
        ("What was deleted", {"fields": tuple(limits.TRASH)}),
        ("API keys", {"fields": tuple(limits.KEYS)}),
        ("Where connections may lead", {"fields": limits.RESTRICTIONS}),
        ("When the scheduler dies", {"fields": ("heartbeat_url",)}),
        (None, {"fields": ("updated_at",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:tenants_platformsettings_change", args=["1"]))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> PlatformSettings | None:
        """The row, or its defaults until it is saved for the first time."""
        if object_id != "1":
            return None
        return super().get_object(request, object_id, from_field) or PlatformSettings(pk=1)

    def save_model(
        self, request: HttpRequest, obj: PlatformSettings, form: Any, change: bool
    ) -> None:
        actor = Actor.operator(cast(User, request.user), ip=client_ip(request))
        services.update_platform(
            actor=actor, **{name: form.cleaned_data[name] for name in limits.PLATFORM_NAMES}
        )


class OrganizationForm(forms.ModelForm[Organization]):
    """What operators set for one organization."""

    class Meta:
        model = Organization
        fields = ("name", "time_zone", "default_schema", "max_concurrent_runs", "queue",
                  *_STEP_WORDS)  # fmt: skip
        help_texts = {
            "max_concurrent_runs": "Steps of it that run at the same time.",
            "queue": "Workers choose with --queues which they serve. Empty: the default queue.",
            **{
                name: f"{text} Empty: the platform's limit."
                for name, (_label, text) in _STEP_WORDS.items()
            },
        }
        labels = {name: label for name, (label, _text) in _STEP_WORDS.items()}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for name in _STEP_WORDS:
            self._check(partial(limits.check, name, values.get(name)))
        self._check(partial(limits.check_queue, values.get("queue") or ""))
        return values

    def _check(self, check: Callable[[], None]) -> None:
        try:
            check()
        except UserError as error:
            refuse(self, error)

    @property
    def operated(self) -> dict[str, Any]:
        """For ``services.update_organization``: only what was sent."""
        return {name: self.cleaned_data[name] for name in ("queue", *_STEP_WORDS)}
