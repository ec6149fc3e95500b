"""The kit page holds every component: what holds for it holds for the pages built from them."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import brotli
import pytest
from django.conf import settings
from django.template.loader import render_to_string

from common.ui.kit import kit_context

STATIC = Path(settings.BASE_DIR) / "static" / "ui"
KB = 1024


class Page(HTMLParser):
    """Collects what the content policy forbids, the ids, and the references to ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.references: set[str] = set()
        self.forbidden: list[str] = []
        self.unlabelled: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        given = {name: value or "" for name, value in attrs}
        self.ids.update([given["id"]] if "id" in given else [])
        for name in ("aria-labelledby", "aria-describedby", "aria-controls", "popovertarget"):
            self.references.update(given.get(name, "").split())
        self.references.update([given["for"]] if tag == "label" and given.get("for") else [])
        inline_script = tag == "script" and "src" not in given
        if tag == "style" or inline_script or "style" in given:
            self.forbidden.append(self.get_starttag_text() or tag)
        self.forbidden += [f"{tag} {name}" for name in given if re.match(r"on|hx-on|hx-vars", name)]


def _assert_sound(html: str) -> Page:
    page = Page(html)
    assert page.forbidden == []
    assert page.tags["h1"] == 1
    assert [name for name, times in page.ids.items() if times > 1] == []
    assert page.references <= set(page.ids), page.references - set(page.ids)
    return page


def test_ui_kit_page_is_sound() -> None:
    page = _assert_sound(render_to_string("kit.html", kit_context("dark")))
    assert page.tags["main"] == 1
    assert sum(page.tags.values()) < 1500


@pytest.mark.parametrize("code", ["403", "404", "429", "500", "503", "problem"])
def test_ui_error_pages_need_no_context(code: str) -> None:
    context: dict[str, Any] = (
        {"message": "Too large.", "request_id": "r1"} if code == "problem" else {}
    )
    html = render_to_string(f"errors/{code}.html", context)
    page = _assert_sound(html)
    # What failed must not fail again: the last two pages load no script at all.
    assert (page.tags["script"] == 0) is (code in ("500", "503"))


def test_ui_shell_shows_only_what_there_is() -> None:
    context = kit_context()
    context["shell"]["nav"] = []
    context["shell"]["palette_url"] = ""
    context["shell"]["new_organization_url"] = ""
    html = render_to_string("kit.html", context)
    assert 'id="palette"' not in html
    assert "New organization" not in html


_ON_EVERY_PAGE = ("tokens.css", "app.css", "controls.css", "content.css", "work.css")


def test_ui_assets_keep_their_budgets() -> None:
    def packed(pattern: str) -> int:
        return sum(len(brotli.compress(path.read_bytes())) for path in STATIC.glob(pattern))

    # What every page loads, and the most that one page adds.
    every = sum(packed(name) for name in _ON_EVERY_PAGE)
    assert every < 17 * KB
    own = {path.name: packed(path.name) for path in STATIC.glob("*.css")}
    assert every + own["settings.css"] + own["filters.css"] < 20 * KB
    assert max(size for name, size in own.items() if name not in _ON_EVERY_PAGE) < 2 * KB
    assert packed("app.js") + packed("live.js") < 6 * KB
    assert packed("fonts/*.woff2") < 45 * KB
    assert packed("vendor/editor.js") < 150 * KB


def test_ui_styles_name_only_known_properties() -> None:
    # The pages of the Django admin have Django's own.
    files = [path for path in STATIC.glob("*.css") if path.name != "admin.css"]
    css = "".join(path.read_text() for path in files)
    defined = set(re.findall(r"(--[\w-]+)\s*:", css))
    assert set(re.findall(r"var\((--[\w-]+)", css)) <= defined
