"""A cron expression in words: “At 07:30, Monday through Friday”."""

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orchestration.cron.expression import Days, Expression, parse

#: So many times of the day are told one by one.
_MOST_TIMES = 6


def in_words(text: str) -> str:
    expression = parse(text)
    parts = [_times(expression), _days(expression), _months(expression)]
    return ", ".join(part for part in parts if part)


def _times(expression: Expression) -> str:
    minutes, hours = expression.minutes, expression.hours
    if len(minutes) * len(hours) <= _MOST_TIMES:
        clocks = [f"{hour:02}:{minute:02}" for hour in hours for minute in minutes]
        return _("At %(times)s") % {"times": _listed(clocks)}
    if len(hours) == 24:
        return _past_each_hour(minutes)
    if len(minutes) > 1:
        return _("%(minutes)s %(hours)s") % {
            "minutes": _past_each_hour(minutes),
            "hours": _within(hours),
        }
    step = _step(hours, 24)
    if not step:
        places = {"minute": minutes[0], "hours": _within(hours)}
        if minutes[0] == 0:
            return _("Every hour on the hour %(hours)s") % places
        return _("Every hour at minute %(minute)s %(hours)s") % places
    words = _("Every %(count)s hours") % {"count": step}
    return _from(words, hours[0], minutes[0])


def _past_each_hour(minutes: Sequence[int]) -> str:
    if len(minutes) == 60:
        return _("Every minute")
    if len(minutes) == 1:
        if minutes[0] == 0:
            return _("Every hour")
        return _("Every hour at minute %(minute)s") % {"minute": minutes[0]}
    if step := _step(minutes, 60):
        words = _("Every %(count)s minutes") % {"count": step}
        if minutes[0] == 0:
            return words
        return _("%(words)s from minute %(minute)s") % {"words": words, "minute": minutes[0]}
    return _("Every hour at minutes %(minutes)s") % {"minutes": _listed(_runs(minutes))}


def _from(words: str, hour: int, minute: int) -> str:
    if hour == minute == 0:
        return words
    return _("%(words)s from %(clock)s") % {"words": words, "clock": f"{hour:02}:{minute:02}"}


def _within(hours: Sequence[int]) -> str:
    if len(hours) == 1 or hours[-1] - hours[0] == len(hours) - 1:
        return _("from %(first)s to %(last)s") % {
            "first": f"{hours[0]:02}:00",
            "last": f"{hours[-1]:02}:59",
        }
    return _("in the hours %(hours)s") % {"hours": _listed(_runs(hours))}


def _step(numbers: Sequence[int], size: int) -> int:
    """The even distance of these numbers all around the clock; 0 where there is none."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 0
    if step < 2 or size % step or tuple(range(numbers[0], size, step)) != tuple(numbers):
        return 0
    return step if numbers[0] < step else 0


def _days(expression: Expression) -> str:
    month = "" if _is_any(expression.days, 31) else _month_days(expression.days)
    week = "" if _is_any(expression.weekdays, 7) else _weekdays(expression.weekdays)
    if expression.either_day and (not month or not week):
        return ""  # One of them fits every day.
    if not (month and week):
        return month or week
    joined = (
        _("%(month)s or %(week)s")
        if expression.either_day
        else _("%(month)s if that is also %(week)s")
    )
    return joined % {"month": month, "week": week}


def _is_any(days: Days, size: int) -> bool:
    return len(days.numbers) == size


def _month_days(days: Days) -> str:
    numbers = sorted(days.numbers)
    parts = []
    if numbers:
        if tuple(numbers) == tuple(range(numbers[0], 32, 2)) and len(numbers) > 4:
            parts.append(_("every second day from day %(day)s") % {"day": numbers[0]})
        else:
            text = _listed(_runs(numbers))
            parts.append(ngettext("day %(days)s", "days %(days)s", len(numbers)) % {"days": text})
    if days.last_working:
        parts.append(_("the last day from Monday to Friday"))
    if days.last:
        parts.append(_("the last day"))
    return _("on %(days)s of the month") % {"days": _listed(parts)}


def _weekdays(days: Days) -> str:
    names = (
        _("Sunday"), _("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"),
        _("Saturday"),
    )  # fmt: skip
    nths = (_("last"), _("first"), _("second"), _("third"), _("fourth"), _("fifth"))
    # The week begins on Monday, as people read it.
    order = [number for number in (1, 2, 3, 4, 5, 6, 0) if number in days.numbers]
    first, last = (order[0], order[-1]) if order else (0, 0)
    if len(order) > 2 and (last or 7) - first == len(order) - 1:
        run = _("%(first)s through %(last)s") % {"first": names[first], "last": names[last]}
        if not days.nth:
            return run
        parts = [run]
    else:
        parts = [names[number] for number in order]
    parts += [
        _("the %(nth)s %(day)s of the month") % {"nth": nths[nth], "day": names[number]}
        for number, nth in sorted(days.nth)
    ]
    return _("on %(days)s") % {"days": _listed(parts)}


def _months(expression: Expression) -> str:
    names = (
        _("January"), _("February"), _("March"), _("April"), _("May"), _("June"), _("July"),
        _("August"), _("September"), _("October"), _("November"), _("December"),
    )  # fmt: skip
    numbers = sorted(expression.months)
    if len(numbers) == 12:
        return ""
    shown = [
        names[low - 1]
        if low == high
        else _("%(first)s through %(last)s") % {"first": names[low - 1], "last": names[high - 1]}
        for low, high in _spans(numbers)
    ]
    return _("in %(months)s") % {"months": _listed(shown)}


def _runs(numbers: Iterable[int]) -> list[str]:
    return [
        str(low) if low == high else _("%(first)s through %(last)s") % {"first": low, "last": high}
        for low, high in _spans(numbers)
    ]


def _spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of three and more as a pair of ends, others one by one."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    found: list[tuple[int, int]] = []
    for run in spans:
        found += [(run[0], run[-1])] if len(run) > 2 else [(number, number) for number in run]
    return found


def _listed(items: Sequence[str]) -> str:
    """“a, b and c”."""
    if len(items) < 2:
        return "".join(items)
    return _("%(items)s and %(last)s") % {"items": ", ".join(items[:-1]), "last": items[-1]}
