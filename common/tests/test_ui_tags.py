"""Statuses, formats, charts, forms and the sort header, through real templates."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django import forms
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone

from common.ui import formats
from common.ui.charts import Beat
from common.ui.forms import ChoiceCards, SecretInput, Switch
from common.ui.icons import icon_body
from common.ui.kit import KitForm
from common.ui.shell import build_goto, build_nav, initials
from common.ui.status import STATUSES, status_of
from common.ui.timeline import TimelineStep, build_timeline


def render(source: str, **context: Any) -> str:
    return engines["django"].from_string(source).render(context)


@pytest.mark.parametrize("key", sorted(STATUSES))
def test_ui_status_has_icon_word_and_tone(key: str) -> None:
    html = render("{% status key %}", key=key)
    assert str(STATUSES[key].word) in html
    assert f'data-s="{STATUSES[key].tone}"' in html
    assert "<path" in html or "<circle" in html


def test_ui_unknown_status_and_label_are_escaped() -> None:
    assert status_of("<b>").tone == "idle"
    assert "<b>" not in render(
        "{% status key %}{% icon 'x' 'i' key %}{% tile key key %}", key="<b>"
    )
    with pytest.raises(KeyError):
        icon_body("no-such-icon")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (0.42, "0.4 s"),
        (9.0, "9 s"),
        (59.6, "1 m 00 s"),
        (96, "1 m 36 s"),
        (7530, "2 h 05 m"),
        (timedelta(days=3, hours=4), "3 d 4 h"),
    ],
)
def test_ui_durations_read_well(seconds: Any, text: str) -> None:
    assert render("{{ value|duration }}", value=seconds) == text


def test_ui_counts_and_sizes_are_short_but_complete() -> None:
    assert render("{{ v|count }}", v=18402) == "18,402"
    assert render("{{ v|count }}", v=4_201_007) == '<span title="4,201,007">4.2 M</span>'
    assert formats.format_count(999_999) == "1.0 M"
    assert formats.format_bytes(9_712_345) == "9.7 MB"
    assert render("{{ a|milliseconds }} {{ b|milliseconds }}", a=34, b=30000) == "34 ms 30 s"


def test_ui_times_are_relative_within_a_day() -> None:
    now = timezone.now()
    html = render("{{ v|ago }}", v=now - timedelta(minutes=4))
    assert "4 min ago</time>" in html
    assert 'datetime="' in html
    assert "in 3 h" in render("{{ v|ago }}", v=now + timedelta(hours=3))
    assert "13 Nov 2026" in render("{{ v|ago }}", v=datetime(2026, 11, 13, 12, tzinfo=UTC))
    assert render("{{ v|ago }}", v=None) == "—"


def test_ui_heartbeat_says_its_numbers() -> None:
    beats = [Beat("succeeded", 60), Beat("failed", 12), Beat("warning", 50), Beat("running", None)]
    html = render("{% beat beats %}", beats=beats)
    assert "Last 4 runs: 1 succeeded, 1 with warnings, 1 failed" in html
    assert render("{% beat beats %}{% spark values %}", beats=[], values=[1]) == ""


def test_ui_timeline_fits_the_span() -> None:
    start = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
    steps = [
        TimelineStep("a", "succeeded", start, start + timedelta(seconds=40)),
        TimelineStep("b", "running", start + timedelta(seconds=40)),
        TimelineStep("c", "queued"),
    ]
    timeline = build_timeline(steps, start=start, now=start + timedelta(seconds=60), active=True)
    assert timeline.marks == ("0 s", "20 s", "40 s", "1 m")
    assert [(row.x, row.width) for row in timeline.rows] == [
        (0.0, 400.0),
        (400.0, 200.0),
        (0.0, 0.0),
    ]
    assert timeline.now_x == 600.0
    assert timeline.rows[2].duration == "—"


def test_ui_query_string_drops_the_cursor() -> None:
    request = RequestFactory().get("/runs/", {"status": "failed", "after": "99", "sort": "-name"})
    html = render(
        '{% query_string status=None page=2 %}|{% sort_header "name" "Name" %}|'
        '{% sort_header "rows" "Rows" css="num" %}',
        request=request,
    )
    query, name, rows = html.split("|")
    assert query == "?sort=-name&amp;page=2"
    assert 'aria-sort="descending"' in name
    assert 'href="?status=failed&amp;sort=name"' in name
    assert "aria-sort" not in rows
    assert 'class="num"' in rows


def test_ui_forms_look_right_without_their_doing() -> None:
    form = KitForm({"role": "source", "port": "70000", "tables": ["orders"]})
    html = str(form)
    assert re.search(r'<input type="number" name="port" value="70000"[^>]* class="input">', html)
    assert 'aria-describedby="id_port_error"' in html
    assert 'id="id_port_error"' in html
    assert 'class="input mono"' in html
    assert re.search(r'<select name="encryption"[^>]* class="input">', html)
    assert 'class="field f-4"' in html
    # Groups of controls are fieldsets with a legend; a single box has its label around it.
    assert html.count("<fieldset") == 2
    assert "Pipelines read from it" in html
    assert 'role="switch"' in html


class Widgets(forms.Form):
    token = forms.CharField(widget=SecretInput(stored_hint="Stored"))
    kind = forms.ChoiceField(choices=[("a", "A")], widget=ChoiceCards)
    active = forms.BooleanField(widget=Switch)


def test_ui_secret_is_never_rendered_back() -> None:
    html = str(Widgets({"token": "hunter2", "kind": "a"}))
    assert "hunter2" not in html
    assert 'placeholder="Stored"' in html


def test_ui_navigation_holds_what_one_may_open() -> None:
    urls = {"overview": "/o/x/", "pipelines": "/o/x/pipelines/"}
    nav = build_nav(urls, {"pipelines": 3})
    assert [[item["key"] for item in group["items"]] for group in nav] == [
        ["overview"],
        ["pipelines"],
    ]
    assert nav[1]["items"][0]["count"] == 3
    assert build_goto(urls) == {"o": "/o/x/", "p": "/o/x/pipelines/"}
    assert initials("mara.lindqvist@example.com") == "ML"
