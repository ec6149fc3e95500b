"""What a browser says of itself, in words: as much as its owner needs to recognize it, and no more."""

import re

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

#: In this order: nearly every browser also calls itself Chrome or Safari.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
#: How programs name themselves: ``curl/8.5.0``.
_PROGRAM = re.compile(r"([A-Za-z][\w.+-]{0,40})/[\w.]+")


def described(user_agent: str) -> str | Promise:
    """``Firefox on Windows``; of a program its name, and of what says nothing known that it is unknown."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return format_lazy(_("{browser} on {system}"), browser=browser, system=system)
    if browser or system:
        return browser or system
    program = _PROGRAM.match(user_agent)
    if program and program[1] != "Mozilla":
        return program[1]
    return _("Unknown program")
