"""Signing in through a real OpenID Connect server, in a real browser.

The server is ``oidc-provider`` for Node; it is installed below ``build/`` for this test alone.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from datanika_site.tests import browser as browsing
from datanika_site.tests.installation import ROOT, Installation, free_port

pytestmark = pytest.mark.e2e

FOLDER = ROOT / "build" / "oidc-server"
PACKAGE = "oidc-provider@9.13.3"
PREPARE = """
from common.access import Role
from tenants import services
from tenants.actors import Actor
from tenants.models import PlatformSettings
from tenants.services.providers import create_provider
organization = services.set_up(
    email="olga@example.com", name="Olga Berg", password="sardine-lighthouse-42",
    organization_name="Harbour",
)
PlatformSettings(sign_up_policy="domains", sign_up_domains=["example.com"]).save()
create_provider(
    actor=Actor.operator(), kind="openid_connect", slug="harbour", name="Harbour login",
    client_id="datanika", client_secret="secret-of-the-browser-test",
    server_url="http://127.0.0.1:{port}",
)
"""


def _installed() -> Path:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node is not installed.")
    if not (FOLDER / "node_modules" / "oidc-provider").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(FOLDER), PACKAGE]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
    return FOLDER


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an installation with one provider; both end afterwards."""
    folder = _installed()
    port, server_port = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    callback = f"{address}/accounts/oidc/harbour/login/callback/"
    script = Path(__file__).with_name("oidc_server.mjs")
    server = subprocess.Popen(
        ["node", str(script), str(folder), str(server_port), callback],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    installation = Installation(tmp_path_factory.mktemp("providers") / "data")
    try:
        installation.manage("migrate", "--verbosity", "0")
        installation.python(PREPARE.format(port=server_port))
        up = installation.start_up(port)
        _wait(server_port)
        yield address
        installation.end(up)
    finally:
        installation.stop()
        server.terminate()
        server.wait(15)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("The OpenID Connect server does not answer.")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.launched() as found:
        yield found


def _picture(page: Page, name: str) -> None:
    browsing.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    # Colours change slowly.
    page.wait_for_timeout(400)
    page.screenshot(path=str(browsing.SCREENSHOTS / f"provider-{name}.png"), full_page=True)


def _looks_right(watch: browsing.Watch, name: str) -> None:
    page = watch.page
    assert browsing.problems(watch, page.content()) == []
    assert browsing.accessibility(page) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        _picture(page, f"{name}-{scheme}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 390, "height": 800})
    assert browsing.too_wide(page) == []
    _picture(page, f"{name}-390")
    page.set_viewport_size({"width": 1440, "height": 900})


def _through_the_server(page: Page, login: str) -> None:
    page.locator("input[name=login]").fill(login)
    page.locator("input[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.wait_for_url("**/interaction/**")
    page.locator("button[type=submit]").click()


def test_a_person_signs_in_through_a_server_of_their_own(site: str, browser: Browser) -> None:
    watch = browsing.open_page(browser)
    page = watch.page
    page.goto(f"{site}/accounts/login/")
    _looks_right(watch, "sign-in")
    page.get_by_role("button", name="Continue with Harbour login").click()
    _through_the_server(page, "vera")
    page.wait_for_url(f"{site}/**")
    page.goto(f"{site}/accounts/connections/")
    expect(page.get_by_role("heading", name="Harbour login")).to_be_visible()
    watch.take()
    _looks_right(watch, "linked")
    page.goto(f"{site}/account/")
    _looks_right(watch, "account")
    page.get_by_role("link", name="Manage").click()
    # It is the only way in.
    page.get_by_role("button", name="Unlink").click()
    expect(page.get_by_text("This is the only way into your account.")).to_be_visible()


def test_turning_back_and_being_refused_are_pages(site: str, browser: Browser) -> None:
    watch = browsing.open_page(browser)
    page = watch.page
    page.goto(f"{site}/accounts/login/")
    page.get_by_role("button", name="Continue with Harbour login").click()
    page.get_by_text("Cancel").click()
    expect(page.get_by_role("heading", name="You turned back")).to_be_visible()
    assert page.url == f"{site}/accounts/cancelled/"
    watch.take()
    _looks_right(watch, "cancelled")
    page.get_by_role("link", name="Back to sign in").click()
    page.get_by_role("button", name="Continue with Harbour login").click()
    _through_the_server(page, "unproven")
    expect(page.get_by_text("has not verified your e-mail address")).to_be_visible()
    assert page.url == f"{site}/accounts/error/"
    watch.take()
    _looks_right(watch, "refused")
