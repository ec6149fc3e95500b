"""Every page of the operators' admin in a real browser, light, dark and on a phone: nothing that the content policy
refuses, nothing that sticks out, nothing that cannot be read.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from datanika_site.tests import browser as browsing
from datanika_site.tests.installation import Installation, free_port
from datanika_site.tests.test_browser_pages import (
    LOOKS,
    PASSWORD,
    PREPARE,
    Look,
    browser,
    folder,
    signed_in,
)

pytestmark = pytest.mark.e2e

__all__ = ["browser"]

OPERATE = f"""
from tenants import services
from tenants.actors import Actor
from tenants.models import User
from tenants.services import providers
User.objects.update(is_staff=True, is_superuser=True)
services.create_user(email="ben@example.com", name="Ben", password="{PASSWORD}")
services.update_platform(actor=Actor.operator(), banner="Maintenance on Sunday at noon")
providers.create_provider(
    actor=Actor.operator(), client_secret="none", kind="openid_connect", slug="main", name="Main",
    client_id="datanika", server_url="https://login.example.com",
)
"""
#: What stock Django leaves to be wished; colours and names are ours to get right.
RULES = ("color-contrast", "label", "button-name", "link-name", "image-alt")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    installation = Installation(tmp_path_factory.mktemp("admin") / "data")
    installation.manage("migrate", "--verbosity", "0")
    installation.python(PREPARE + OPERATE)
    port = free_port()
    try:
        process = installation.start_up(port)
        yield f"http://127.0.0.1:{port}"
        assert installation.end(process) == []
    finally:
        installation.stop()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_every_page_of_the_admin(browser: Browser, address: str, look: Look) -> None:
    watch = signed_in(browser, address, look, color_scheme=look.theme)
    page, wrong = watch.page, {}
    page.goto(f"{address}/admin/")
    links = page.locator("#content-main th a, #content-main td a.addlink, .health-link a")
    paths = {str(link.get_attribute("href")): "" for link in links.all()}
    assert len(paths) > 20
    for path in [*paths]:
        page.goto(address + path)
        rows = page.locator("#result_list th a, #result_list .action-checkbox + * a")
        if rows.count():
            # As the browser understands it: some are relative to the list.
            paths[str(rows.first.evaluate("link => link.href")).removeprefix(address)] = ""
    more = ("/admin/tenants/platformsettings/test-mail/", "/admin/tenants/user/1/password/")
    for path in ("/admin/", *paths, *more):
        if found := visit(watch, address + path, look):
            wrong[path] = found
    page.context.close()
    assert wrong == {}, "\n".join(f"{path}\n    " + "\n    ".join(x) for path, x in wrong.items())


def visit(watch: browsing.Watch, url: str, look: Look) -> list[str]:
    page = watch.page
    page.set_viewport_size({"width": look.width, "height": look.height})
    watch.take()
    answer = page.goto(url)
    assert answer is not None
    page.wait_for_load_state("load")
    found = [] if answer.status == 200 else [f"status {answer.status}"]
    found += [said for said in watch.take() if "favicon" not in said]
    found += [str(report) for report in page.evaluate("() => window.cspReports")]
    name = re.sub(r"[^a-z0-9]+", "-", url.split("/", 3)[3]).strip("-")
    page.screenshot(path=folder() / f"{name}-{look.name}.png", full_page=True)
    found += [one for one in browsing.accessibility(page) if one.split()[1] in RULES]
    return found + browsing.too_wide(page)


def test_an_operator_saves_the_settings_and_looks_at_health(
    browser: Browser,
    address: str,
) -> None:
    watch = signed_in(browser, address, LOOKS[0])
    page = watch.page
    page.goto(f"{address}/admin/tenants/platformsettings/")
    page.get_by_label("Banner").fill("Back at two")
    page.get_by_label("SQLite").uncheck()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/platformsettings/**")
    page.goto(f"{address}/o/harbour/connections/new/")
    expect(page.get_by_role("note")).to_contain_text("Back at two")
    expect(page.get_by_role("link", name=re.compile("^SQLite"))).to_have_count(0)
    page.goto(f"{address}/admin/")
    page.get_by_role("link", name="Health of the installation").click()
    expect(page.get_by_role("heading", name="Running steps")).to_be_visible()
    expect(page.get_by_text("at work")).to_be_visible()
    page.context.close()
