"""Numbers and times as people read them: ``1 m 36 s``, ``4.2 M``, ``4 min ago``."""

from datetime import date, datetime, timedelta
from functools import lru_cache

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

DASH = "—"
#: From here on a count is shortened; below, every digit matters.
SHORT_FROM = 100_000
MINUTE, HOUR, DAY = 60, 3600, 86400


def format_duration(value: float | timedelta | None) -> str:
    """``0.4 s``, ``36 s``, ``1 m 36 s``, ``2 h 05 m``, ``3 d 4 h``; a dash for None."""
    if value is None:
        return DASH
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return _("%(s)s s") % {"s": f"{seconds:.1f}".removesuffix(".0")}
    whole = round(seconds)
    if whole < MINUTE:
        return _("%(s)d s") % {"s": whole}
    if whole < HOUR:
        return _("%(m)d m %(s)02d s") % {"m": whole // MINUTE, "s": whole % MINUTE}
    if whole < DAY:
        return _("%(h)d h %(m)02d m") % {"h": whole // HOUR, "m": whole % HOUR // MINUTE}
    return _("%(d)d d %(h)d h") % {"d": whole // DAY, "h": whole % DAY // HOUR}


def format_count(value: int | None) -> str:
    """``18,402``, ``4.2 M``; a dash for None."""
    if value is None:
        return DASH
    if abs(value) < SHORT_FROM:
        return formats.number_format(value, decimal_pos=0, force_grouping=True)
    return _scaled(float(value), 1000, ("k", "M", "G", "T"))


def format_bytes(value: int | None) -> str:
    """``512 B``, ``9.7 MB`` (decimal units, as disks and clouds count); a dash for None."""
    if value is None:
        return DASH
    if abs(value) < 1000:
        return f"{value} B"
    return _scaled(float(value), 1000, ("kB", "MB", "GB", "TB"))


def _scaled(value: float, step: int, units: tuple[str, ...]) -> str:
    power = 0
    while power < len(units) and (power == 0 or abs(value) >= step * 0.9995):
        value /= step
        power += 1
    unit = units[power - 1]
    digits = 0 if abs(value) >= 99.95 else 1
    return f"{formats.number_format(round(value, digits), decimal_pos=digits)} {unit}"


def format_ago(moment: datetime, now: datetime) -> str:
    """The distance within a day (``4 min ago``, ``in 3 h``), beyond it the date."""
    seconds = round((now - moment).total_seconds())
    distance = abs(seconds)
    if distance < 45:
        return _("just now") if seconds >= 0 else _("in a moment")
    if distance >= DAY:
        return _day(timezone.localtime(moment).date(), get_language() or "")
    if distance < HOUR:
        number = max(round(distance / MINUTE), 1)
        words = ngettext("%(n)d min", "%(n)d min", number) % {"n": number}
    else:
        number = round(distance / HOUR)
        words = ngettext("%(n)d h", "%(n)d h", number) % {"n": number}
    return (_("%s ago") if seconds > 0 else _("in %s")) % words


def full_time(moment: datetime) -> str:
    """``22 Nov 2026, 11:30:02 CET`` in the active time zone."""
    local = timezone.localtime(moment)
    return f"{_day(local.date(), get_language() or '')}, {local:%H:%M:%S} {local.tzname()}"


@lru_cache(maxsize=1024)
def _day(day: date, _language: str) -> str:
    """``22 Nov 2026``. A list has a hundred moments of a few days, and each costs Django some hundred calls."""
    return formats.date_format(day, "j M Y")


def time_element(moment: datetime | None, text: str = "") -> SafeString | str:
    """``<time>`` showing ``text``, by default the distance from now; the title is the full time."""
    if moment is None:
        return DASH
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        full_time(moment),
        text or format_ago(moment, timezone.now()),
    )
