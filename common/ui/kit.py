"""Made-up content for the kit page, which shows every component in every state."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from common.ui.charts import Beat, Hour
from common.ui.forms import ChoiceCards, SecretInput, Switch
from common.ui.shell import PLACES, Shell, build_goto, build_nav, initials
from common.ui.status import STATUSES
from common.ui.timeline import Timeline, TimelineStep, build_timeline


class KitForm(forms.Form):
    """One field of every kind."""

    sections = (
        ("Use it as", ("role",)),
        ("Server", ("name", "host", "port", "password", "encryption")),
        ("More", ("note", "tables", "upload", "tunnel", "active")),
    )
    spans = {"host": "f-4", "port": "f-2", "password": "f-3", "encryption": "f-3", "tables": "f-3"}

    role = forms.ChoiceField(
        label="Role",
        choices=[("source", "Source"), ("destination", "Destination"), ("both", "Both")],
        widget=ChoiceCards(
            descriptions={
                "source": "Pipelines read from it",
                "destination": "Pipelines write to it",
                "both": "Read and write",
            }
        ),
    )
    name = forms.CharField(label="Name", help_text="Shown in lists and logs.")
    host = forms.CharField(label="Host", widget=forms.TextInput(attrs={"class": "mono"}))
    port = forms.IntegerField(label="Port", min_value=1, max_value=65535)
    password = forms.CharField(
        label="Password",
        required=False,
        widget=SecretInput(stored_hint="Stored, leave empty to keep"),
        help_text="Stored encrypted. Never shown again.",
    )
    encryption = forms.ChoiceField(
        label="Encryption",
        choices=[("verify", "Verify certificate and host"), ("none", "No encryption")],
    )
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 3}))
    tables = forms.MultipleChoiceField(
        label="Tables",
        choices=[("orders", "orders"), ("customers", "customers")],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    upload = forms.FileField(label="File", required=False)
    tunnel = forms.BooleanField(
        label="Connect through an SSH tunnel",
        required=False,
        help_text="For databases the worker cannot reach directly",
    )
    active = forms.BooleanField(label="Active", required=False, widget=Switch)


def kit_shell(theme: str = "") -> Shell:
    """A shell with every entry, count and tone; all links stay on the page."""
    urls = {place.key: f"#{place.key}" for _heading, places in PLACES for place in places}
    return {
        "organization": {"name": "Example Bakery", "slug": "example", "mark": "EB", "url": "#"},
        "role": "Admin",
        "memberships": [
            {"name": "Example Bakery", "url": "#", "role": "Admin", "current": True},
            {"name": "Example Sandbox", "url": "#", "role": "Viewer", "current": False},
        ],
        "new_organization_url": "#new",
        "nav": build_nav(
            urls,
            {"runs": 2, "connections": 9, "pipelines": 12, "transformations": 23, "schedules": 1},
            {"runs": "run", "schedules": "bad"},
        ),
        "active": "overview",
        "user": {
            "name": "Mara Lindqvist",
            "email": "mara@example.com",
            "initials": initials("Mara Lindqvist"),
            "account_url": "#account",
            "sign_out_url": "#sign-out",
        },
        "theme": theme,
        "theme_url": "#theme",
        "goto": build_goto(urls),
        "palette_url": "#palette",
        "hotkeys": True,
    }


def _form() -> KitForm:
    form = KitForm(
        {
            "role": "source",
            "name": "Shop database",
            "host": "db.example.com",
            "port": "70000",
            "encryption": "verify",
            "tables": ["orders"],
            "active": "on",
        }
    )
    form.full_clean()
    return form


def _beats() -> list[Beat]:
    unusual = {7: "failed", 15: "warning", 21: "failed", 23: "running"}
    return [Beat(unusual.get(i, "succeeded"), 60 + 17 * (i * 7 % 5)) for i in range(24)]


def _timeline() -> Timeline:
    start = datetime(2026, 11, 22, 11, 30, 2, tzinfo=UTC)

    def at(seconds: float) -> datetime:
        return start + timedelta(seconds=seconds)

    steps = [
        TimelineStep("Load Shop orders", "succeeded", at(2), at(41), url="#step"),
        TimelineStep("orders", "succeeded", at(5), at(26), depth=1),
        TimelineStep("refunds", "warning", at(15), at(18), depth=1),
        TimelineStep("Build fct_orders", "running", at(41)),
        TimelineStep("Build fct_margin", "failed", at(41), at(48)),
        TimelineStep("Build report", "queued"),
    ]
    return build_timeline(steps, start=start, now=at(62), active=True)


def _log() -> list[dict[str, Any]]:
    lines = [
        ("info", "extract", "4 tables to read"),
        ("debug", "extract:orders", "cursor updated_at > 2026-11-22 11:15:00"),
        ("ok", "extract:orders", "11,402 rows in 21.2 s"),
        ("warn", "load:refunds", "new column reason_code"),
        ("error", "build:fct_margin", 'column "cost" does not exist'),
    ]
    return [
        {"n": n, "t": f"11:30:{n:02d}.139", "l": level, "s": scope, "x": text}
        for n, (level, scope, text) in enumerate(lines, start=1)
    ]


def _checks() -> list[dict[str, Any]]:
    return [
        {
            "name": "resolve",
            "status": "ok",
            "text": "Host name resolves",
            "detail": "10.20.4.17",
            "ms": 3,
        },
        {
            "name": "authorize",
            "status": "warn",
            "text": "User can read 41 of 43 tables",
            "detail": "no SELECT on billing.cards",
            "remedy": "Grant SELECT, or leave these tables out.",
            "ms": 19,
        },
        {
            "name": "sample",
            "status": "failed",
            "text": "A sample row could not be read",
            "detail": "canceling statement due to statement timeout",
            "remedy": "Try again when the server is less busy.",
            "ms": 30000,
        },
    ]


def kit_context(theme: str = "") -> dict[str, Any]:
    """Everything ``templates/kit.html`` needs."""
    now = timezone.now()
    return {
        "shell": kit_shell(theme),
        "form": _form(),
        "statuses": list(STATUSES),
        "kinds": ["source", "pipeline", "model", "snapshot", "seed", "exposure"],
        "tiles": [("Pg", "postgres"), ("Dk", "duckdb"), ("Li", "sqlite"), ("BQ", "bigquery")],
        "beats": _beats(),
        "spark": [3.1, 3.3, 3.2, 3.5, 3.4, 3.9, 3.7, 4.0, 4.3, 4.2],
        "pips": ["fresh"] * 21 + ["stale", "fresh"],
        "hours": [Hour(f"{h % 24:02d}:00", 3 + h * 5 % 7, int(h % 9 == 4)) for h in range(12, 36)],
        "timeline": _timeline(),
        "log": _log(),
        "checks": _checks(),
        "moments": [now - timedelta(minutes=4), now + timedelta(hours=3), now - timedelta(days=9)],
        "steps": [
            {"label": "Type", "state": "done", "url": "#type"},
            {"label": "Details", "state": "current"},
            {"label": "Test", "state": ""},
        ],
        "tabs": [
            {"label": "Overview", "url": "#overview", "current": True},
            {"label": "Tables", "url": "#tables", "count": 7},
            {"label": "Runs", "url": "#runs", "count": 184_200},
        ],
        "palette": [
            {
                "heading": "Go to",
                "items": [
                    {"icon": "activity", "label": "Runs", "url": "#runs", "hint": "G R"},
                    {"icon": "plug", "label": "Connections", "url": "#connections", "hint": "G C"},
                ],
            }
        ],
        "tones": [["ok", "Succeeded"], ["warn", "Warnings"], ["bad", "Failed"]],
        "sql": "create role reader login;\ngrant usage on schema shop to reader;",
    }
