"""Lucide icons as inline SVG: no request, no flash, and they take the colour of the text."""

import re
import zipfile
from functools import cache, lru_cache
from pathlib import Path

import lucide
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

_ARCHIVE = Path(lucide.__file__).parent / "lucide.zip"
_SVG = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


@cache
def icon_body(name: str) -> SafeString:
    """The paths inside the icon's ``<svg>``; raises ``KeyError`` for an unknown name."""
    with zipfile.ZipFile(_ARCHIVE) as archive:
        source = archive.read(f"{name}.svg").decode()
    found = _SVG.search(source)
    if found is None:
        raise KeyError(name)
    body = re.sub(r"\s+", " ", found[1]).replace(" />", "/>").strip()
    return mark_safe(body)  # noqa: S308 - the text of the installed icon package


@lru_cache(maxsize=1024)
def icon_svg(name: str, css: str = "i", label: str = "", size: int | None = None) -> SafeString:
    """The icon as ``<svg>``: an image called ``label``, or hidden from readers when there is none.

    ``size`` writes width and height, which an icon nested in another SVG needs.
    """
    role = format_html('role="img" aria-label="{}"', label) if label else _HIDDEN
    box = format_html(' width="{0}" height="{0}"', size) if size else ""
    return format_html(
        '<svg class="{}"{} viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        'stroke-linecap="round" stroke-linejoin="round" {}>{}</svg>',
        css,
        box,
        role,
        icon_body(name),
    )


_HIDDEN = mark_safe('aria-hidden="true"')
