"""A real browser for the tests: where it is, what it complained about, and what every page has to fulfil."""

import contextlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
#: The first look of a process at dlt and dbt, on a busy small machine.
PATIENCE_MS = 90_000
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"

#: Reported by the page itself, so that what the console words differently is not missed.
_LISTEN = """
window.cspReports = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.cspReports.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
_FACTS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  return {
    h1: document.querySelectorAll("h1").length,
    twice: ids.filter((id, at) => ids.indexOf(id) !== at),
    reports: window.cspReports,
    title: document.title,
  };
}"""
_TOO_WIDE = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const inner = (element) => {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(at).overflowX)) return true;
    return false;
  };
  const wide = [...document.body.querySelectorAll("*")].filter(
    (element) => element.getBoundingClientRect().right > root.clientWidth + 1 && !inner(element));
  return [`${root.scrollWidth} px`, ...wide.slice(0, 4).map((element) =>
    `${element.tagName.toLowerCase()}.${element.getAttribute("class") || ""}#${element.id}`)];
}"""
_AXE = """axe.run(document, {resultTypes: ["violations"]}).then((result) => JSON.stringify(
  result.violations.map((rule) => ({
    id: rule.id,
    help: rule.help,
    nodes: rule.nodes.map((node) => `${node.target} ${node.any.map((check) => check.message)[0] || ""}`),
  }))))"""


def executable() -> str:
    """The browser of this machine. Without one the test is skipped, in CI it fails."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    if MAC.exists():
        return str(MAC)
    reason = f"No browser was found: none of {', '.join(NAMES)} is on the PATH."
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    path = executable()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            # The pages are on this machine whatever proxy the environment names.
            args=["--no-proxy-server", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page complained about since it was opened."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(_LISTEN)
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("response", self._response)

    def take(self) -> list[str]:
        taken, self.complaints = self.complaints, []
        return taken

    def _console(self, message: ConsoleMessage) -> None:
        # What was refused is judged by its status; htmx also says when a newer request replaced one.
        known = ("Failed to load resource: the server responded", "htmx:")
        if message.type == "error" and not message.text.startswith(known):
            place = message.location
            self.complaints.append(
                f"console: {message.text} ({place['url']}:{place['lineNumber']})"
            )

    def _response(self, response: Response) -> None:
        # 422 brings a form back with its errors.
        if response.status >= 400 and response.status != 422:
            self.complaints.append(f"{response.status} {response.request.method} {response.url}")


def open_page(browser: Browser, **options: Any) -> Watch:
    """A new visitor with a browser of their own."""
    settings = {"viewport": {"width": 1440, "height": 900}, "locale": "en", **options}
    return Watch(browser.new_context(**settings).new_page())


def sign_in(page: Page, address: str, email: str, password: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/o/**")


def settled(page: Page) -> None:
    """Everything has arrived that the page asks for by itself; an open run's stream never ends."""
    page.wait_for_load_state("load")
    page.wait_for_function(
        "() => !document.querySelector('.htmx-request:is([hx-get], [hx-post]), [hx-get][aria-busy=\"true\"]')",
        timeout=PATIENCE_MS,
    )


def problems(watch: Watch, source: str) -> list[str]:
    """What is wrong with the page that is open; ``source`` is its HTML as it was sent."""
    facts = watch.page.evaluate(_FACTS)
    found = watch.take()
    found += [f"content policy: {report}" for report in facts["reports"]]
    found += [f"id twice: {name} ×{n + 1}" for name, n in Counter(facts["twice"]).items()]
    if facts["h1"] != 1:
        found.append(f"{facts['h1']} h1")
    if not facts["title"].strip(" ·"):
        found.append("no title")
    found += [
        f"style in the HTML: {match}" for match in re.findall(r"<[^<>]*\sstyle=[^<>]*>", source)
    ]
    return found


def too_wide(page: Page) -> list[str]:
    """Empty, or the width and the elements that make the page scroll sideways."""
    found: list[str] = page.evaluate(_TOO_WIDE)
    return found


def accessibility(page: Page) -> list[str]:
    """Violations that axe finds. Through the debugger's door: the content policy lets no other script in."""
    session = page.context.new_cdp_session(page)
    script = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    session.send("Runtime.evaluate", {"expression": script})
    answer = session.send(
        "Runtime.evaluate", {"expression": _AXE, "awaitPromise": True, "returnByValue": True}
    )
    session.detach()
    value = answer["result"].get("value")
    assert value is not None, answer
    return [
        f"axe {rule['id']} ({rule['help']}): {'; '.join(rule['nodes'][:4])}"
        for rule in json.loads(value)
    ]
