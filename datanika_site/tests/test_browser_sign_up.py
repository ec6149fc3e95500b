"""Somebody makes an account by themselves: a real browser, a real worker, and a mail server of the test's own."""

import email
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.tests.mail_server import MailServer, mail_server
from datanika_site.tests import browser as browsing
from datanika_site.tests.installation import Installation, free_port

pytestmark = pytest.mark.e2e

OLGA, VERA, PASSWORD = "olga@example.com", "vera@example.com", "sardine-lighthouse-42"
PREPARE = f"""
from tenants import services
from tenants.models import PlatformSettings
services.set_up(email="{OLGA}", name="Olga Berg", password="{PASSWORD}", organization_name="Harbour")
PlatformSettings.objects.update_or_create(pk=1, defaults={{"sign_up_policy": "open"}})
"""
REFUSALS = ("404", "429")
LOOKS = {"light": ("light", 1440, 900), "dark": ("dark", 1440, 900), "phone": ("light", 390, 844)}


@dataclass
class Place:
    """A running installation and the mail it sends."""

    address: str
    mail: MailServer

    def link_to(self, recipient: str) -> str:
        """The link of the first message to this address."""
        number = 0
        while self.letter(number)[0] != recipient:
            number += 1
        return self.link(number)

    def letter(self, number: int) -> tuple[str, str]:
        """Recipient and text of the message with this number, once it has come."""
        deadline = time.monotonic() + 60
        while len(self.mail.messages) <= number:
            assert time.monotonic() < deadline, "no mail came"
            time.sleep(0.1)
        message = email.message_from_string(self.mail.messages[number])
        payload = message.get_payload(decode=True)
        assert isinstance(payload, bytes)
        return str(message["To"]), payload.decode().replace("\r\n", "\n")

    def link(self, number: int) -> str:
        found = re.search(r"^http\S+$", self.letter(number)[1], re.MULTILINE)
        assert found
        return found[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    browsing.executable()  # before anything is started for nothing
    installation = Installation(tmp_path_factory.mktemp("sign-up") / "data")
    with mail_server() as mail:
        installation.environment["DATANIKA_EMAIL_URL"] = f"smtp://127.0.0.1:{mail.port}"
        installation.manage("migrate", "--verbosity", "0")
        installation.python(PREPARE)
        port = free_port()
        try:
            process = installation.start_up(port)
            yield Place(f"http://127.0.0.1:{port}", mail)
            assert installation.end(process) == []
        finally:
            installation.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.launched() as started:
        yield started


def fill(page: Page, name: str, address: str, password: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Create account").click()


def test_from_the_sign_in_page_to_an_organization_of_ones_own(
    browser: Browser, place: Place
) -> None:
    watch = browsing.open_page(browser)
    page = watch.page
    page.goto(f"{place.address}/accounts/login/")
    page.get_by_role("link", name="Create an account").click()
    strength = page.get_by_role("status")
    page.get_by_label("Password", exact=True).press_sequentially("abc")
    expect(strength.filter(has_text="Too short.")).to_be_visible()
    page.get_by_label("Password", exact=True).press_sequentially("defghi1")
    expect(strength.filter(has_text="Weak")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    expect(strength.filter(has_text="Strong.")).to_be_visible()
    fill(page, "Vera", VERA, PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
    assert place.letter(0)[0] == VERA

    # On the phone, where the mail is read, the password proves that it is the same person.
    phone = browsing.open_page(browser, viewport={"width": 390, "height": 844})
    phone.page.goto(place.link(0))
    phone.page.get_by_label("Password", exact=True).fill("not this one at all")
    phone.page.get_by_role("button", name="Confirm").click()
    expect(phone.page.get_by_text("This is not the password of this account.")).to_be_visible()
    assert phone.take() == []
    phone.page.context.close()

    page.goto(place.link(0))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New organization")
    page.get_by_label("Name").fill("Vera's")
    page.get_by_role("button", name="Create organization").click()
    page.wait_for_url("**/o/veras/")
    assert watch.take() == []
    page.context.close()

    # Who has an account sees the same, and reads in the mail what is the matter.
    known = browsing.open_page(browser)
    known.page.goto(f"{place.address}/accounts/signup/")
    fill(known.page, "Mallory", OLGA, PASSWORD)
    expect(known.page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
    to, text = place.letter(1)
    assert to == OLGA
    assert "It has one already" in text
    known.page.context.close()


@dataclass
class Looker:
    """Somebody who looks at each page in one theme and width, and keeps pictures."""

    watch: browsing.Watch
    name: str
    wrong: list[str] = field(default_factory=list)

    def look(self, what: str) -> None:
        page = self.watch.page
        browsing.settled(page)
        # The status of a refusal is judged by the test.
        found = [
            text
            for text in browsing.problems(self.watch, page.content())
            if text[:3] not in REFUSALS
        ]
        browsing.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=browsing.SCREENSHOTS / f"{what}-{self.name}.png", full_page=True)
        found += browsing.accessibility(page) + browsing.too_wide(page)
        self.wrong += [f"{what}: {problem}" for problem in found]


def visitor(browser: Browser, place: Place, look: str) -> Looker:
    theme, width, height = LOOKS[look]
    watch = browsing.open_page(browser, viewport={"width": width, "height": height})
    watch.page.context.add_cookies([{"name": "theme", "value": theme, "url": place.address}])
    return Looker(watch, look)


@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_are_sound(browser: Browser, place: Place, look: str) -> None:
    ina, new = f"ina-{look}@example.com", f"ina.{look}@example.com"
    person = visitor(browser, place, look)
    page = person.watch.page
    page.goto(f"{place.address}/accounts/signup/")
    page.get_by_label("Password", exact=True).fill("abcdefghi1")
    person.look("signup")
    fill(page, "Ina", ina, "short")
    person.look("signup-refused")
    fill(page, "Ina", ina, PASSWORD)
    person.look("verify-sent")

    elsewhere = visitor(browser, place, look)
    elsewhere.watch.page.goto(place.link_to(ina))
    elsewhere.look("verify-elsewhere")
    elsewhere.watch.page.goto(f"{place.address}/accounts/verify/made-up/")
    elsewhere.look("verify-dead")

    for _ in range(2):
        page.get_by_role("button", name="Send it again").click()
        browsing.settled(page)
    person.look("too-many")
    page.goto(place.link_to(ina))
    person.look("verify")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/organizations/new/")
    page.goto(f"{place.address}/account/")
    person.look("account-confirmed")
    page.goto(f"{place.address}/accounts/email/")
    person.look("email")
    page.get_by_label("New e-mail address").fill(new)
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Send the link").click()
    person.look("email-sent")
    link = place.link_to(new)
    page.goto(link)
    person.look("email-confirm")
    page.get_by_role("button", name="Change address").click()
    page.wait_for_url("**/account/")
    expect(page.get_by_text(new).first).to_be_visible()
    page.goto(link)
    person.look("email-dead")
    assert person.wrong + elsewhere.wrong == []
    for looker in (person, elsewhere):
        looker.watch.page.context.close()
