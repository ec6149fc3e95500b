"""The second factor and the list of sessions in a real browser, with and without script."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, Page, expect

from datanika_site.tests import browser as browsing
from datanika_site.tests.installation import Installation, free_port

pytestmark = pytest.mark.e2e

EMAIL, PASSWORD = "olga@example.com", "sardine-lighthouse-42"
PREPARE = f"""
from tenants import services
services.set_up(
    email="{EMAIL}", name="Olga Berg", password="{PASSWORD}", organization_name="Harbour"
)
"""
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.1 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    installation = Installation(tmp_path_factory.mktemp("second-factor") / "data")
    try:
        installation.manage("migrate", "--verbosity", "0")
        installation.python(PREPARE)
        up = installation.start_up(port)
        yield f"http://127.0.0.1:{port}"
        installation.end(up)
    finally:
        installation.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.launched() as found:
        yield found


def code_of(secret: str, later: int = 0) -> str:
    """What the app shows now, or half minutes ``later``: no code counts twice, nor one before it."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + later)))


def give_password(page: Page, site: str) -> None:
    page.goto(f"{site}/accounts/login/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def give_code(page: Page, code: str, button: str = "Sign in") -> None:
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name=button, exact=True).click()


def looks_right(watch: browsing.Watch, name: str) -> None:
    page = watch.page
    browsing.settled(page)
    assert browsing.problems(watch, page.content()) == []
    assert browsing.accessibility(page) == []
    browsing.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for look, scheme, width in (
        ("light", "light", 1440),
        ("dark", "dark", 1440),
        ("phone", "light", 390),
    ):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 844})
        # Colours change slowly.
        page.wait_for_timeout(300)
        path = browsing.SCREENSHOTS / f"second-factor-{name}-{look}.png"
        page.screenshot(path=str(path), full_page=True)
        assert browsing.too_wide(page) == []
    page.set_viewport_size({"width": 320, "height": 700})
    assert browsing.too_wide(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})


def test_a_second_factor_from_the_first_picture_to_the_last_session(
    site: str, browser: Browser, tmp_path: Path
) -> None:
    watch = browsing.open_page(browser)
    page = watch.page
    browsing.sign_in(page, site, EMAIL, PASSWORD)
    page.goto(f"{site}/account/")
    looks_right(watch, "account")
    page.get_by_role("link", name="Switch on").click()
    looks_right(watch, "again")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    looks_right(watch, "set-up")
    secret = page.get_by_label("Key for the app").inner_text().replace(" ", "")
    give_code(page, "000000", "Switch on")
    expect(page.get_by_text("This is not the code of the app.")).to_be_visible()
    used = code_of(secret)
    give_code(page, used, "Switch on")
    expect(page.get_by_role("heading", level=1)).to_have_text("The second factor is on")
    looks_right(watch, "codes")
    codes = page.get_by_label("Recovery codes").inner_text().split("\n")
    assert len(codes) == 10
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as text").click()
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)
    assert kept.name == "datanika-recovery-codes.txt"
    assert kept.read_text().split("\n\n")[1].strip().split("\n") == codes
    page.get_by_role("link", name="I have stored them").click()
    expect(page.get_by_text("On; 10 recovery codes are left.")).to_be_visible()

    phone = browsing.open_page(browser, user_agent=PHONE)
    give_password(phone.page, site)
    expect(phone.page.get_by_role("heading", level=1)).to_have_text("Your second factor")
    looks_right(phone, "sign-in")
    give_code(phone.page, used)
    expect(phone.page.get_by_text("was used already")).to_be_visible()
    give_code(phone.page, code_of(secret, 1))
    phone.page.wait_for_url("**/o/**")

    plain = browsing.open_page(browser, java_script_enabled=False)
    give_password(plain.page, site)
    give_code(plain.page, codes[0])
    plain.page.wait_for_url("**/o/**")
    expect(plain.page.get_by_text("You used a recovery code; 9 are left.")).to_be_visible()

    page.goto(f"{site}/account/sessions/")
    expect(page.get_by_text("Safari on iPhone", exact=True)).to_be_visible()
    watch.take()
    looks_right(watch, "sessions")
    page.get_by_role("button", name="End Safari on iPhone").click()
    expect(page.get_by_text("The session is ended.")).to_be_visible()
    phone.page.goto(f"{site}/account/")
    expect(phone.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_role("button", name="End all others").click()
    dialog = page.get_by_role("dialog", name="End all other sessions?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="End all others").click()
    expect(page.get_by_text("1 other session is ended.")).to_be_visible()
    plain.page.goto(f"{site}/account/")
    expect(plain.page.get_by_role("heading", level=1)).to_have_text("Sign in")

    # The rest without script.
    give_password(plain.page, site)
    give_code(plain.page, codes[1])
    plain.page.wait_for_url("**/o/**")
    plain.page.goto(f"{site}/account/second-factor/")
    plain.page.get_by_role("link", name="Use a code instead").click()
    give_code(plain.page, codes[2], "Continue")
    expect(plain.page.get_by_text("7 are left.")).to_be_visible()
    plain.page.get_by_role("button", name="Switch off").click()
    expect(plain.page.get_by_text("Off. With it a code of an app")).to_be_visible()

    page.goto(f"{site}/account/second-factor/")
    page.get_by_role("link", name="Cancel").wait_for()
    assert watch.take() == []
    for one in (watch, phone, plain):
        one.page.context.close()


def test_the_page_of_a_factor_that_is_on(site: str, browser: Browser) -> None:
    watch = browsing.open_page(browser)
    page = watch.page
    browsing.sign_in(page, site, EMAIL, PASSWORD)
    page.goto(f"{site}/account/second-factor/")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    secret = page.get_by_label("Key for the app").inner_text().replace(" ", "")
    give_code(page, code_of(secret), "Switch on")
    page.get_by_role("link", name="I have stored them").click()
    page.get_by_role("link", name="Manage second factor").click()
    looks_right(watch, "on")
    page.get_by_role("button", name="Make new codes").click()
    dialog = page.get_by_role("dialog", name="Make new recovery codes?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Make new codes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New recovery codes")
    page.goto(f"{site}/account/second-factor/")
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("The second factor is off.")).to_be_visible()
    assert watch.take() == []
    page.context.close()
