"""The builder of row filters in a real browser: with a mouse, with keys alone, and without script."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from datanika_site.tests import browser as browsing
from datanika_site.tests.installation import Installation, free_port

pytestmark = pytest.mark.e2e

EMAIL, PASSWORD = "olga@example.com", "sardine-lighthouse-42"
PREPARE = f"""
from datanika_site.tests.scenario import make_shop
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership
organization = services.set_up(
    email="{EMAIL}", name="Olga Berg", password="{PASSWORD}", organization_name="Harbour"
)
make_shop(organization, Actor.member(Membership.all_organizations.get()))
"""
PATH = "/o/harbour/pipelines/orders/tables/0/"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    browsing.executable()  # before anything is started for nothing
    installation = Installation(tmp_path_factory.mktemp("filters") / "data")
    installation.manage("migrate", "--verbosity", "0")
    installation.python(PREPARE)
    port = free_port()
    try:
        process = installation.start_up(port)
        yield f"http://127.0.0.1:{port}"
        assert installation.end(process) == []
    finally:
        installation.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.launched() as started:
        yield started


def opened(browser: Browser, address: str, **options: object) -> browsing.Watch:
    watch = browsing.open_page(browser, **options)
    browsing.sign_in(watch.page, address, EMAIL, PASSWORD)
    watch.page.goto(f"{address}{PATH}")
    browsing.settled(watch.page)
    return watch


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def operators(page: Page, place: str) -> list[str]:
    options = f"[...document.querySelectorAll('#{place} option')]"
    return list(page.evaluate(f"{options}.filter((one) => !one.hidden).map((one) => one.value)"))


@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_typed_is_counted_and_never_lost(
    browser: Browser, address: str, width: int
) -> None:
    watch = opened(browser, address, viewport={"width": width, "height": 900})
    page, count = watch.page, watch.page.locator("#filter-count")
    expect(count).to_have_text("Every row is loaded.")
    page.get_by_role("button", name="Add a filter").click()
    expect(page.locator("#filter-0-column")).to_be_focused()
    page.locator("#filter-0-column").select_option("id")
    assert "like" not in operators(page, "filter-0-op")
    page.locator("#filter-0-op").select_option("gte")
    # Typed by hand, key by key, while counts come back and mark what does not fit.
    page.locator("#filter-0-value").focus()
    page.keyboard.type("2x")
    expect(page.locator("#filter-0-error")).to_contain_text("cannot compare with")
    expect(page.locator("#filter-0-value")).to_have_attribute("aria-invalid", "true")
    assert page.locator("#filter-0-column").get_attribute("aria-invalid") is None
    assert focused(page) == "filter-0-value"
    page.keyboard.press("Backspace")
    expect(count).to_have_text(re.compile(r"Keeps [\d,]+ of [\d,]+ rows\."))
    expect(page.locator("#filter-0-error")).to_be_empty()
    assert page.locator("#filter-0-value").get_attribute("aria-invalid") is None
    assert (focused(page), page.locator("#filter-0-value").input_value()) == ("filter-0-value", "2")
    # A change of the column takes an operator with it that does not fit.
    page.locator("#filter-0-column").select_option("customer")
    page.locator("#filter-0-op").select_option("like")
    page.locator("#filter-0-column").select_option("id")
    assert page.locator("#filter-0-op").input_value() == "eq"

    page.get_by_role("button", name="Add a group").click()
    expect(page.locator("#filter-1-0-column")).to_be_focused()
    page.locator("#filter-1-0-column").select_option("customer")
    page.locator("#filter-1-0-op").select_option("is_null")
    expect(page.locator("#filter-1-0-value")).to_be_hidden()
    page.locator("#filter-1-0-op").select_option("between")
    expect(page.locator("#filter-1-0-high")).to_be_visible()
    assert browsing.too_wide(page) == []
    assert browsing.accessibility(page) == []
    page.get_by_role("button", name="Remove group 2").click()
    expect(page.locator("#filter-1-0-column")).to_have_count(0)
    assert watch.take() == []
    watch.page.context.close()


def test_keys_alone_are_enough(browser: Browser, address: str) -> None:
    watch = opened(browser, address)
    page = watch.page
    page.get_by_role("button", name="Add a filter").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#filter-0-column")).to_be_focused()
    page.keyboard.type("id")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert focused(page) == "filter-0-value"
    page.keyboard.type("1")
    expect(page.locator("#filter-count")).to_contain_text("Keeps 1 of")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-0-column")).to_have_count(0)
    expect(page.locator("#filter-count")).to_have_text("Every row is loaded.")
    expect(page.locator("#filter-add-0")).to_be_focused()
    watch.page.context.close()


def test_it_works_without_script(browser: Browser, address: str) -> None:
    watch = opened(browser, address, java_script_enabled=False)
    page = watch.page
    page.get_by_role("button", name="Add a filter").click()
    page.locator("#filter-0-column").select_option("id")
    page.locator("#filter-0-op").select_option("between")
    page.locator("#filter-0-value").fill("1")
    page.locator("#filter-0-high").fill("2")
    page.get_by_role("button", name="Count rows kept").click()
    expect(page.locator("#filter-count")).to_contain_text("Keeps 2 of")
    expect(page.locator("#filter-0-high")).to_have_value("2")
    watch.page.context.close()
