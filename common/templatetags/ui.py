"""Template tags of the UI kit, built into every template: thin doors to ``common.ui``.

docs/ui.md lists them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.http import HttpRequest
from django.template import Context
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from common.ui import charts, formats, forms
from common.ui.icons import icon_svg
from common.ui.shell import initials
from common.ui.status import status_of

register = template.Library()

#: Kinds of nodes: icon and word.
KINDS = {
    "source": ("database", _("Source")),
    "pipeline": ("arrow-right-left", _("Pipeline")),
    "model": ("box", _("Model")),
    "transformation": ("box", _("Transformation")),
    "snapshot": ("history", _("Snapshot")),
    "seed": ("sprout", _("Seed")),
    "exposure": ("chart-column", _("Exposure")),
}


@register.simple_tag
def icon(name: str, css: str = "i", label: object = "") -> SafeString:
    """``{% icon "plug" %}``; with ``label`` it speaks, without it is hidden from readers."""
    return icon_svg(name, css, str(label))


def _turning(key: str, css: str) -> str:
    return f"{css} spin" if key == "running" else css


@register.simple_tag
def status(key: str, label: object = "", plain: bool = False) -> SafeString:
    """A badge of icon, word and tint; ``label`` replaces the word, ``plain`` drops the tint."""
    look = status_of(key)
    return format_html(
        '<span class="st{}" data-s="{}">{}{}</span>',
        " st-plain" if plain else "",
        look.tone,
        icon_svg(look.icon, _turning(key, "i")),
        label or look.word,
    )


@register.simple_tag
def status_icon(key: str, css: str = "i i-sm", label: bool = True) -> SafeString:
    """The icon alone, read as the status word unless ``label`` is false."""
    look = status_of(key)
    word = str(look.word) if label else ""
    return format_html(
        '<span class="st-dot" data-s="{}">{}</span>',
        look.tone,
        icon_svg(look.icon, _turning(key, css), word),
    )


@register.filter
def status_word(key: str) -> str:
    return str(status_of(key).word)


@register.filter
def status_tone(key: str) -> str:
    return status_of(key).tone


def _kind_key(key: str) -> str:
    # The style sheets know a colour for models; transformations and seeds share it.
    return "model" if key in ("transformation", "seed") else key


@register.simple_tag
def kind(key: str, label: object = "", bare: bool = False) -> SafeString:
    """Icon and word of a kind of node; ``bare`` shows the icon alone."""
    name, word = KINDS[key]
    text = "" if bare else (label or word)
    return format_html(
        '<span class="kind" data-k="{}">{}{}</span>',
        _kind_key(key),
        icon_svg(name, "i i-sm", str(word) if bare else ""),
        text,
    )


@register.simple_tag
def tile(letters: str, key: str = "", size: str = "") -> SafeString:
    """A connector's tile: ``{% tile connector.tile connector.key "sm" %}``; sizes sm, lg."""
    return format_html(
        '<span class="tile{}" data-c="{}" aria-hidden="true">{}</span>',
        f" tile-{size}" if size else "",
        key,
        letters,
    )


@register.simple_tag
def avatar(name: str, size: str = "") -> SafeString:
    """Initials of a person; the name itself stands beside it."""
    css = f"avatar avatar-{size}" if size else "avatar"
    return format_html('<span class="{}" aria-hidden="true">{}</span>', css, initials(name))


@register.simple_tag
def node_icon(key: str) -> SafeString:
    """The icon of a kind for use inside the graph's SVG."""
    return icon_svg(KINDS[key][0], "ic", size=24)


@register.simple_tag
def node_status(key: str) -> SafeString:
    """The icon of a status for use inside the graph's SVG."""
    return icon_svg(status_of(key).icon, "stt", size=24)


@register.simple_tag
def spark(values: Sequence[float], tone: str = "") -> SafeString:
    return charts.spark(values, tone)


@register.simple_tag
def beat(runs: Iterable[charts.Beat]) -> SafeString:
    return charts.beat([charts.Beat(*run) for run in runs])


@register.simple_tag
def pips(statuses: Sequence[str], label: str) -> SafeString:
    return charts.pips(statuses, label)


@register.simple_tag
def hourly(hours: Iterable[charts.Hour]) -> SafeString:
    return charts.hourly([charts.Hour(*hour) for hour in hours])


@register.filter
def duration(value: float | timedelta | None) -> str:
    return formats.format_duration(value)


@register.filter
def milliseconds(value: int | None) -> str:
    """``34 ms``, from a second on ``1.2 s``."""
    if value is None or value >= 1000:
        return formats.format_duration(None if value is None else value / 1000)
    return f"{value} ms"


@register.filter
def count(value: int | None) -> SafeString | str:
    """``4.2 M`` with the full number as its title."""
    text = formats.format_count(value)
    if value is None or abs(value) < formats.SHORT_FROM:
        return text
    full = number_format(value, decimal_pos=0, force_grouping=True)
    return format_html('<span title="{}">{}</span>', full, text)


@register.filter
def filesize(value: int | None) -> str:
    return formats.format_bytes(value)


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """``<time>`` with the distance from now; a dash for None."""
    return formats.time_element(value)


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """``<time>`` with the full time as text."""
    return formats.time_element(value, formats.full_time(value) if value else "")


@register.filter
def to_json(value: Any) -> str:
    """JSON for a ``data-`` attribute; autoescape makes it safe there."""
    return json.dumps(value, default=str, separators=(",", ":"))


@register.filter
def field_span(field: BoundField) -> str:
    return forms.field_span(field)


@register.filter
def sections(form: BaseForm) -> list[tuple[str, list[BoundField]]]:
    return forms.form_sections(form)


def _query(context: Context) -> Any:
    request: HttpRequest | None = context.get("request")
    return request.GET.copy() if request else None


@register.simple_tag(takes_context=True)
def query_string(context: Context, **changes: object) -> str:
    """The current query as ``?…`` with ``changes`` made (None removes a key) and no cursor."""
    query = _query(context)
    if query is None:
        return "?"
    changes = {"after": None, "before": None, **changes}
    for key, value in changes.items():
        if value is None:
            query.pop(key, None)
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def sort_header(
    context: Context, key: str, label: object, css: str = "", default: str = ""
) -> SafeString:
    """A ``<th>`` that sorts by ``key``; ``default`` is the list's order when the URL names none."""
    query: Mapping[str, str] = _query(context) or {}
    current = query.get("sort") or default
    descending = current == f"-{key}"
    active = descending or current == key
    order = "descending" if descending else "ascending"
    return format_html(
        '<th scope="col"{}{}><a class="sort" href="{}">{}{}</a></th>',
        format_html(' class="{}"', css) if css else "",
        format_html(' aria-sort="{}"', order) if active else "",
        query_string(context, sort=key if descending or not active else f"-{key}"),
        label,
        icon_svg("arrow-down" if descending else "arrow-up", "i i-sm") if active else "",
    )
