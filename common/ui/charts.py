"""Small pictures as SVG: sparkline, heartbeat, pips, hourly bars.

Geometry is attributes and colour is classes, so the content security policy needs no exception.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from common.ui.formats import format_duration
from common.ui.status import status_of

SPARK_BASE, SPARK_RISE = 30, 26
BEAT_STEP, BEAT_WIDTH, BEAT_RISE, BEAT_BASE = 6, 4, 22, 24
PIP_STEP, PIP_WIDTH, PIP_HEIGHT = 10, 7, 18
#: Room for so many at least: the picture fills its tile, and three marks should not.
PIPS_ACROSS = 24
HOUR_STEP, HOUR_WIDTH, HOUR_RISE, HOUR_BASE, HOUR_LEFT = 31, 22, 110, 120, 34


class Beat(NamedTuple):
    """One run in a heartbeat: a status key and how long it took."""

    status: str
    seconds: float | None = None


class Hour(NamedTuple):
    """One column of the hourly chart."""

    label: str
    succeeded: int
    failed: int


def spark(values: Sequence[float], tone: str = "") -> SafeString:
    """A sparkline without axes, for beside a number. Fewer than two values draw nothing."""
    if len(values) < 2:
        return SafeString("")
    low, high = min(values), max(values)
    rise = SPARK_RISE / ((high - low) or 1)
    step = 100 / (len(values) - 1)
    points = (f"{i * step:.1f} {SPARK_BASE - (v - low) * rise:.1f}" for i, v in enumerate(values))
    line = "M" + "L".join(points)
    return format_html(
        '<svg class="spark" data-s="{}" viewBox="0 0 100 34" preserveAspectRatio="none" '
        'aria-hidden="true"><path class="ar" d="{}L100 34L0 34Z"/><path class="ln" d="{}"/></svg>',
        tone,
        line,
        line,
    )


def _beat_class(status: str) -> str:
    tone = status_of(status).tone
    return "none" if tone == "idle" else tone


def _beat_bars(beats: Sequence[Beat], tones: Sequence[str]) -> SafeString:
    longest = max((beat.seconds or 0 for beat in beats), default=0) or 1
    bars = []
    for index, (beat, tone) in enumerate(zip(beats, tones, strict=True)):
        height = max(4, round(BEAT_RISE * (beat.seconds or 0) / longest))
        title = escape(f"{status_of(beat.status).word}, {format_duration(beat.seconds)}")
        # A list has a thousand of them: only the title is anybody's text.
        bars.append(
            f'<rect class="b-{tone}" x="{index * BEAT_STEP}" y="{BEAT_BASE - height}" width="4"'
            f' height="{height}"><title>{title}</title></rect>'
        )
    return mark_safe("".join(bars))  # noqa: S308


def beat(beats: Sequence[Beat]) -> SafeString:
    """The last runs, oldest first: height is duration, failures and warnings have a dot below."""
    if not beats:
        return SafeString("")
    width = len(beats) * BEAT_STEP - (BEAT_STEP - BEAT_WIDTH)
    tones = [_beat_class(item.status) for item in beats]
    bars = _beat_bars(beats, tones)
    dots = format_html_join(
        "",
        '<rect class="b-{}" x="{}" y="26" width="4" height="4"/>',
        ((tone, i * BEAT_STEP) for i, tone in enumerate(tones) if tone in ("bad", "warn")),
    )
    label = _("Last %(total)d runs: %(ok)d succeeded, %(warn)d with warnings, %(bad)d failed") % {
        "total": len(beats),
        "ok": tones.count("ok"),
        "warn": tones.count("warn"),
        "bad": tones.count("bad"),
    }
    return format_html(
        '<span class="beat"><svg viewBox="0 0 {0} 30" width="{0}" height="30" role="img" '
        'aria-label="{1}">{2}{3}</svg></span>',
        width,
        label,
        bars,
        dots,
    )


def pips(statuses: Sequence[str], label: str) -> SafeString:
    """One mark for each thing, full height where all is well; ``label`` says the count."""
    if not statuses:
        return SafeString("")
    tones = [status_of(status).tone for status in statuses]
    marks = format_html_join(
        "",
        '<rect class="bar-{}" x="{}" y="{}" width="7" height="{}"/>',
        (
            (tone, i * PIP_STEP, 0 if tone == "ok" else 7, PIP_HEIGHT if tone == "ok" else 11)
            for i, tone in enumerate(tones)
        ),
    )
    return format_html(
        '<span class="pips"><svg viewBox="0 0 {} 18" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg></span>',
        max(len(statuses), PIPS_ACROSS) * PIP_STEP - (PIP_STEP - PIP_WIDTH),
        label,
        marks,
    )


def _hour_column(index: int, hour: Hour, scale: float) -> SafeString:
    x = HOUR_LEFT + index * HOUR_STEP
    good, bad = round(hour.succeeded * scale, 1), round(hour.failed * scale, 1)
    title = _("%(hour)s: %(ok)d succeeded, %(bad)d failed") % {
        "hour": hour.label,
        "ok": hour.succeeded,
        "bad": hour.failed,
    }
    # A gap of 1.5 keeps the two colours apart where both are there.
    gap = 1.5 if bad and good else 0
    return format_html(
        '<g class="col"><title>{}</title>'
        '<rect class="bar-ok" x="{}" y="{}" width="{}" height="{}" rx="2"/>'
        '<rect class="bar-bad" x="{}" y="{}" width="{}" height="{}" rx="2"/></g>',
        *(title, x, round(HOUR_BASE - good, 1), HOUR_WIDTH, good),
        *(x, round(HOUR_BASE - good - bad - gap, 1), HOUR_WIDTH, bad),
    )


def hourly(hours: Sequence[Hour]) -> SafeString:
    """Runs by hour as stacked bars with an axis of five labels."""
    if not hours:
        return SafeString("")
    highest = max(hour.succeeded + hour.failed for hour in hours) or 1
    columns = format_html_join(
        "", "{}", ((_hour_column(i, hour, HOUR_RISE / highest),) for i, hour in enumerate(hours))
    )
    right = HOUR_LEFT + len(hours) * HOUR_STEP
    label = _("%(total)d runs in %(hours)d hours, %(bad)d of them failed") % {
        "total": sum(hour.succeeded + hour.failed for hour in hours),
        "hours": len(hours),
        "bad": sum(hour.failed for hour in hours),
    }
    marks = [hours[round(part * (len(hours) - 1) / 4)].label for part in range(5)]
    return format_html(
        '<svg class="chart" viewBox="28 0 {} 122" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}'
        '<line class="grid" x1="28" x2="{}" y1="121" y2="121"/></svg>'
        '<div class="axis" aria-hidden="true">{}</div>',
        right - 28,
        label,
        columns,
        right,
        format_html_join("", "<span>{}</span>", ((mark,) for mark in marks)),
    )
