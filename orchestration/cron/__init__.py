"""Cron: parsing, due times and words for people. The page's preview and the tick use the same code.

Our own, since the libraries differ where it matters: cronsim misses times in Lord Howe's half hour, starts at hours
that the expression does not name in Santiago's missing midnight, and none tells what a change of the clock does.
"""

from django.utils.translation import gettext_lazy as _

from orchestration.cron.expression import fields_of, parse
from orchestration.cron.times import (
    Outcome,
    Start,
    last_times,
    next_times,
    offset_words,
    starts_after,
    times_after,
    zone_of,
)
from orchestration.cron.words import in_words

#: Label and expression.
PRESETS = (
    (_("Every 15 minutes"), "*/15 * * * *"),
    (_("Every hour"), "0 * * * *"),
    (_("Every day at 06:00"), "0 6 * * *"),
    (_("Weekdays at 07:30"), "30 7 * * 1-5"),
    (_("Every Monday at 06:00"), "0 6 * * 1"),
    (_("First of the month"), "0 6 1 * *"),
)

__all__ = [
    "PRESETS",
    "Outcome",
    "Start",
    "fields_of",
    "in_words",
    "last_times",
    "next_times",
    "offset_words",
    "parse",
    "starts_after",
    "times_after",
    "zone_of",
]
