"""The forms of the platform settings and of an organization, for operators."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget, AdminURLFieldWidget
from django.utils.html import format_html

from common.errors import UserError
from tenants import limits, platform_mail, restrictions, restrictions_form, services
from tenants.models import Organization, PlatformSettings

STEP_WORDS = {
    "step_timeout_seconds": ("Time", "Seconds that a step may run. 0 is no limit."),
    "step_memory_mb": ("Memory", "MiB of memory of its child process. 0 is no limit."),
    "step_cpu_seconds": ("Processor time", "Seconds on the processor. 0 is no limit."),
    "step_disk_mb": ("Disk", "MiB in its directories on the worker. 0 is no limit."),
}
_WORDS = {
    "sign_up_policy": (
        "Who may make an account",
        "Invited people may, unless it is closed. The sign-up page needs a mail server. A provider of sign-ins may"
        " let in fewer.",
    ),
    "sign_up_domains": (
        "Domains",
        "Of the e-mail addresses that may come without an invitation, one a line.",
    ),
    "max_concurrent_steps": (
        "Steps at the same time",
        "On all workers together. Empty: as many as the workers have slots.",
    ),
    **STEP_WORDS,
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
    "allowed_connectors": (
        "Types of connection",
        "The others cannot be made, tested or run; what exists of them stays and says so.",
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
    "max_upload_mb": ("Uploaded file", "MiB of one file. Empty: as the environment says."),
    "banner": ("Banner", "On top of every page, such as a planned maintenance. Empty: none."),
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
    banner = forms.CharField(
        required=False,
        max_length=300,
        widget=AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
    )
    sign_up_domains = restrictions_form.DomainsField(required=False)
    egress_policy = forms.ChoiceField(
        required=False, choices=[("", "As the environment says"), *restrictions.EGRESS.items()]
    )
    allowed_file_roots = restrictions_form.RootsField(required=False)
    allowed_connectors = restrictions_form.ConnectorsField()
    mail_host = forms.CharField(
        required=False, max_length=253, label="Server", widget=AdminTextInputWidget
    )
    mail_port = forms.IntegerField(required=False, min_value=1, max_value=65_535, label="Port")
    mail_security = forms.ChoiceField(
        required=False, choices=list(platform_mail.SECURITY.items()), label="Encryption"
    )
    mail_user = forms.CharField(
        required=False, max_length=254, label="User", widget=AdminTextInputWidget
    )
    mail_password = forms.CharField(
        required=False,
        strip=False,
        max_length=500,
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )
    mail_from = forms.CharField(
        required=False, max_length=254, label="Sender", widget=AdminTextInputWidget
    )

    class Meta:
        model = PlatformSettings
        fields = tuple(name for name in limits.PLATFORM_NAMES if name != "mail")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (label, text) in _WORDS.items():
            field = self.fields[name]
            field.label = label
            field.help_text = format_html("{}<br>{}", text, limits.origin(self.instance, name))
        self._say_mail()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not self.errors:
            values["mail"] = self._mail(values)
            try:
                services.check_platform(
                    values, mail_password=values["mail_password"], stored=self.instance
                )
            except UserError as error:
                refuse(self, error)
        return values

    @property
    def values(self) -> dict[str, Any]:
        """For ``services.update_platform``."""
        names = (*limits.PLATFORM_NAMES, "mail_password")
        return {name: self.cleaned_data[name] for name in names}

    def _say_mail(self) -> None:
        saved = self.instance.mail or {}
        for name in ("host", "port", "security", "user", "from"):
            self.initial[f"mail_{name}"] = saved.get(name, {"port": 587}.get(name, ""))
        has_password = bool(saved) and services.has_mail_password()
        texts = {
            "mail_host": format_html(
                "Empty: the server of the environment (DATANIKA_EMAIL_URL).<br>{}",
                limits.origin(self.instance, "mail"),
            ),
            "mail_user": "Empty: the server asks for none.",
            "mail_password": "Stored encrypted and never shown. "
            + ("One is stored; empty keeps it." if has_password else "None is stored."),
            "mail_from": format_html("{}", "Such as Datanika <datanika@example.com>."),
        }
        for name, text in texts.items():
            self.fields[name].help_text = text

    def _mail(self, values: dict[str, Any]) -> dict[str, Any] | None:
        if not values["mail_host"].strip():
            return None
        return {
            name: values[f"mail_{name}"] for name in ("host", "port", "security", "user", "from")
        }


class OrganizationForm(forms.ModelForm[Organization]):
    """What operators set for one organization."""

    class Meta:
        model = Organization
        fields = ("name", "time_zone", "default_schema", "max_concurrent_runs", "queue",
                  *STEP_WORDS)  # fmt: skip
        help_texts = {
            "max_concurrent_runs": "Steps of it that run at the same time.",
            "queue": "Workers choose with --queues which they serve. Empty: the default queue.",
            **{
                name: f"{text} Empty: the platform's limit."
                for name, (_label, text) in STEP_WORDS.items()
            },
        }
        labels = {name: label for name, (label, _text) in STEP_WORDS.items()}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for name in STEP_WORDS:
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
        return {name: self.cleaned_data[name] for name in ("queue", *STEP_WORDS)}
