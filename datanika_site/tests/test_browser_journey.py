"""A newcomer does everything by hand, in a real browser, from the first start to the sign-out."""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from datanika_site.tests.browser import executable, launched, open_page
from datanika_site.tests.installation import Installation, free_port

pytestmark = pytest.mark.e2e

EMAIL, PASSWORD = "olga@example.com", "sardine-lighthouse-42"
#: A NULL, an empty text, decimals, a comma in quotes; one row is filtered away.
ORDERS = """order_id,customer,amount,note
1,Ann,19.90,"Fast, please"
2,"",5.00,plain
3,Cem,7.25,
4,Dan,100.00,later
"""
MADE = ("Order files", "Warehouse", "Orders", "stg_orders", "Mornings")
SQL = """select order_id, customer, amount, note from {{ source('raw_orders', 'orders') }}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    executable()  # before anything is started for nothing
    installation = Installation(tmp_path_factory.mktemp("journey") / "data")
    port = free_port()
    try:
        process = installation.start_up(port)
        yield f"http://127.0.0.1:{port}"
        # Ctrl-C ends web, worker, beat and what they started.
        assert installation.end(process, signal.SIGINT) == []
    finally:
        installation.stop()


def test_a_newcomer_gets_from_nothing_to_a_scheduled_graph(address: str, tmp_path: Path) -> None:
    with launched() as browser:
        watch = open_page(browser)
        person = Newcomer(watch.page, address)
        person.sets_up()
        person.connects_files(tmp_path)
        person.connects_a_warehouse()
        person.makes_a_pipeline()
        person.writes_a_transformation()
        person.runs_everything()
        person.previews_loaded_rows()
        person.is_refused_a_cycle()
        person.schedules()
        person.invites()
        person.reads_the_audit_log()
        person.signs_out_and_in()
        assert [text for text in watch.take() if not is_expected(text)] == []


def is_expected(complaint: str) -> bool:
    """Typing over a selection makes Chromium itself write a styled element, which the policy strips."""
    return "Applying inline style" in complaint and "/transformations/" in complaint


@dataclass
class Newcomer:
    """Somebody who reads labels and presses buttons."""

    page: Page
    address: str

    # ---- first start ------------------------------------------------------------------------

    def sets_up(self) -> None:
        page = self.page
        page.goto(self.address)
        expect(page).to_have_url(f"{self.address}/welcome/")
        self.fills("Organization", "Harbour")
        self.fills("Your name", "Olga Berg")
        self.fills("E-mail address", EMAIL)
        self.fills("Password", "short")
        self.presses("Create and sign in")
        expect(page.get_by_text("too short")).to_be_visible()
        self.fills("Password", PASSWORD)
        self.presses("Create and sign in")
        expect(page).to_have_url(f"{self.address}/o/harbour/")
        expect(page.get_by_role("heading", level=1)).to_be_visible()

    # ---- connections ------------------------------------------------------------------------

    def connects_files(self, folder: Path) -> None:
        page = self.page
        path = folder / "orders.csv"
        path.write_text(ORDERS)
        self.goes_to("Connections")
        page.get_by_role("link", name="New connection").first.click()
        page.get_by_role("link", name=re.compile("^CSV files")).click()
        self.fills("Name", "Order files")
        page.get_by_label("Or upload a file").set_input_files(path)
        expect(
            page.get_by_text("Stored as uploads/orders.csv, which is the path now.")
        ).to_be_visible()
        expect(page.get_by_label("Path")).to_have_value("uploads/orders.csv")
        self.tests_it()
        self.presses("Save connection")
        expect(self.heading("Order files")).to_be_visible()
        expect(page.get_by_text("Connected").first).to_be_visible()

    def connects_a_warehouse(self) -> None:
        page = self.page
        self.goes_to("Connections")
        page.get_by_role("link", name="New connection").first.click()
        page.get_by_role("link", name=re.compile("^DuckDB")).click()
        page.get_by_role("radio", name=re.compile("^Destination")).check()
        self.fills("Name", "Warehouse")
        self.fills("Path", "warehouse.duckdb")
        self.tests_it()
        self.presses("Save connection")
        expect(self.heading("Warehouse")).to_be_visible()

    def tests_it(self) -> None:
        self.presses("Test connection")
        checks = self.page.get_by_role("region", name="Connection test")
        expect(
            checks.get_by_text(re.compile("All checks passed|Works, with a remark"))
        ).to_be_visible()
        assert checks.get_by_role("listitem").count() >= 2

    # ---- pipeline ---------------------------------------------------------------------------

    def makes_a_pipeline(self) -> None:
        page = self.page
        self.goes_to("Pipelines")
        page.get_by_role("link", name="New pipeline").first.click()
        page.get_by_role("button", name=re.compile("Order files")).click()
        expect(self.heading("What is copied from “Order files”?")).to_be_visible()
        page.get_by_role("checkbox", name="uploads/orders.csv").check()
        self.presses("Continue")
        expect(self.heading("How is it written?")).to_be_visible()
        page.get_by_role("link", name="Edit uploads/orders.csv").click()
        expect(self.heading("How is “uploads/orders.csv” written?")).to_be_visible()
        page.get_by_role("radio", name=re.compile("^Merge")).check()
        page.get_by_role("checkbox", name="order_id is part of the key").check()
        self.filters_rows()
        page.get_by_role("button", name=re.compile("^Save")).last.click()
        expect(page.get_by_text(re.compile("merged on order_id"))).to_be_visible()
        self.presses("Continue")
        expect(self.heading("Where do the data go?")).to_be_visible()
        page.get_by_role("radio", name=re.compile("^Warehouse")).check()
        self.fills("Schema in the destination", "raw_orders")
        self.fills("Name of the pipeline", "Orders")
        self.presses("Continue")
        expect(self.heading("Orders")).to_be_visible()
        expect(page.get_by_text(re.compile("amount < 50")).first).to_be_visible()
        self.presses("Create pipeline")
        expect(page).to_have_url(re.compile("/pipelines/orders/$"))

    def filters_rows(self) -> None:
        page = self.page
        self.presses("Add a filter")
        rule = page.get_by_role("group", name="Filter 1")
        rule.get_by_label("Column").select_option("amount")
        rule.get_by_label("Comparison").select_option("lt")
        rule.get_by_label("Value").fill("50")
        # Counted while typing, without a button.
        expect(page.locator("#filter-count")).to_contain_text("Keeps 3 of 4 rows.")
        self.presses("Show rows kept")
        kept = page.get_by_role("region", name="Rows kept")
        # What is missing and what is empty stay different things, and the comma is data.
        expect(kept.get_by_text("Fast, please")).to_be_visible()
        expect(kept.get_by_text("NULL")).to_have_count(1)
        expect(kept.get_by_text("Dan")).to_have_count(0)

    # ---- transformation ---------------------------------------------------------------------

    def writes_a_transformation(self) -> None:
        page = self.page
        self.goes_to("Transformations")
        page.get_by_role("link", name="New transformation").first.click()
        self.types_sql(SQL)
        page.get_by_role("tab", name="Settings").click()
        self.fills("Name", "stg_orders")
        self.presses("Preview")
        # Nothing was loaded yet, and that is what it says.
        problems = page.get_by_role("tabpanel", name="Problems")
        expect(problems.get_by_role("listitem").first).to_contain_text(
            "Load something into it first"
        )
        page.get_by_role("tab", name="Tests").click()
        self.adds_a_test("order_id", "Not null")
        self.presses("Save")
        expect(page).to_have_url(re.compile("/transformations/stg_orders/$"))
        expect(page.get_by_text("“stg_orders” is saved.")).to_be_visible()

    def types_sql(self, text: str) -> None:
        editor = self.page.locator("sql-editor .cm-content")
        editor.click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)
        # Completion may have opened a list over what comes next.
        self.page.keyboard.press("Escape")
        expect(editor).to_have_text(text)

    def adds_a_test(self, column: str, kind: str) -> None:
        new = self.page.get_by_role("group", name="Add a test")
        new.get_by_label("Column", exact=True).fill(column)
        new.get_by_label("Test", exact=True).select_option(label=kind)
        self.presses("Add test")
        expect(self.page.locator(".test-list summary").filter(has_text=column)).to_be_visible()

    def previews_loaded_rows(self) -> None:
        page = self.page
        self.goes_to("Transformations")
        page.get_by_role("link", name="stg_orders", exact=True).first.click()
        self.presses("Preview")
        rows = page.get_by_role("tabpanel", name="Rows").get_by_role("row")
        expect(rows).to_have_count(4)
        expect(rows.filter(has_text="Fast, please")).to_contain_text("19.9")
        expect(page.get_by_role("tabpanel", name="Rows").get_by_text("NULL")).to_have_count(1)
        # A mistake is marked where it stands.
        self.types_sql("select nothing_like_it from {{ source('raw_orders', 'orders') }}")
        self.presses("Preview")
        problem = page.get_by_role("tabpanel", name="Problems").get_by_role("listitem").first
        expect(problem).to_contain_text("nothing_like_it")
        self.types_sql(SQL + " where amount is not null")
        page.keyboard.press("ControlOrMeta+s")
        expect(page.get_by_text("Saved", exact=True).first).to_be_visible()

    # ---- runs -------------------------------------------------------------------------------

    def runs_everything(self) -> None:
        page = self.page
        self.goes_to("Lineage")
        graph = page.get_by_role("group", name=re.compile("nodes from sources"))
        expect(graph.get_by_role("link", name=re.compile("stg_orders"))).to_be_visible()
        page.get_by_role("link", name="Run…").click()
        expect(page.get_by_role("heading", name="What runs")).to_be_visible()
        self.presses("Start run")
        expect(page).to_have_url(re.compile("/runs/1/$"))
        expect(page.locator("#run-head").get_by_text("Succeeded")).to_be_visible()
        log = page.get_by_role("log")
        expect(log.get_by_text(re.compile("orders")).first).to_be_visible()
        expect(page.locator("run-log").get_by_text("Finished")).to_be_visible()
        assert log.get_by_role("listitem").count() > 3
        rows = page.get_by_role("complementary", name="Details").get_by_role("row")
        expect(rows.filter(has_text="orders").first).to_contain_text("3")
        results = page.get_by_role("region", name="Transformations and tests")
        expect(results.get_by_role("row").filter(has_text="stg_orders")).to_contain_text(
            "Succeeded"
        )
        self.goes_to("Overview")
        expect(page.get_by_role("link", name="Orders", exact=True).first).to_be_visible()

    def is_refused_a_cycle(self) -> None:
        page = self.page
        self.goes_to("Lineage")
        page.get_by_role("link", name="Dependency").click()
        page.get_by_label("First").select_option("transformation:stg_orders")
        page.get_by_label("Then").select_option("pipeline:orders")
        self.presses("Add dependency")
        said = page.get_by_text(re.compile("pipeline:orders.*→.*transformation:stg_orders|→"))
        expect(said.first).to_contain_text("stg_orders")

    # ---- schedule, people, audit ------------------------------------------------------------

    def schedules(self) -> None:
        page = self.page
        self.goes_to("Schedules")
        page.get_by_role("link", name="New schedule").first.click()
        self.fills("Name", "Mornings")
        self.fills("Cron expression", "61 * * * *")
        expect(page.locator("#schedule-preview")).to_contain_text("is not a cron expression")
        page.get_by_role("button", name="Save schedule").last.click()
        expect(page.locator("#id_cron_error")).to_contain_text("Each field is a number")
        self.presses("Weekdays at 07:30")
        expect(page.get_by_label("Cron expression")).to_have_value("30 7 * * 1-5")
        expect(page.locator("#schedule-preview").get_by_role("listitem").first).to_be_visible()
        page.get_by_role("button", name="Save schedule").last.click()
        row = page.get_by_role("row").filter(has_text="Mornings")
        expect(row).to_contain_text("30 7 * * 1-5")
        expect(row).to_contain_text("Whole graph")

    def invites(self) -> None:
        page = self.page
        self.goes_to("Members")
        page.get_by_role("link", name="Invite").click()
        self.fills("E-mail addresses", "ben@example.com")
        page.get_by_role("radio", name=re.compile("^Viewer")).check()
        self.presses("Create invitations")
        link = page.get_by_role("region", name="Link for ben@example.com")
        expect(link).to_contain_text(f"{self.address}/invitations/")
        secret = link.inner_text().strip().rstrip("/").rsplit("/", 1)[1]
        page.get_by_role("link", name="I have passed them on").click()
        expect(page.get_by_role("cell", name="ben@example.com", exact=True)).to_be_visible()
        assert secret not in page.content()

    def reads_the_audit_log(self) -> None:
        page = self.page
        self.goes_to("Audit log")
        events = page.get_by_role("region", name="Events")
        for text in MADE:
            expect(events.get_by_role("row").filter(has_text=text).first).to_be_visible()
        page.get_by_role("searchbox").first.fill("ben@example.com")
        expect(events.get_by_role("row")).to_have_count(2)
        expect(events).to_contain_text("Olga Berg")

    def signs_out_and_in(self) -> None:
        page = self.page
        page.get_by_role("button", name="Olga Berg").click()
        self.presses("Sign out")
        expect(self.heading("Sign in")).to_be_visible()
        page.goto(f"{self.address}/o/harbour/")
        self.fills("E-mail address", EMAIL)
        self.fills("Password", "not-the-password")
        self.presses("Sign in")
        expect(page.locator(".error, .callout")).to_have_count(1)
        self.fills("Password", PASSWORD)
        self.presses("Sign in")
        expect(page).to_have_url(f"{self.address}/o/harbour/")

    # ---- hands ------------------------------------------------------------------------------

    def goes_to(self, place: str) -> None:
        menu = self.page.get_by_role("navigation", name="Main", exact=True)
        menu.get_by_role("link", name=re.compile(rf"^{place}\b")).click()
        expect(self.page.locator("h1")).to_have_count(1)

    def fills(self, label: str, text: str) -> None:
        pattern = re.compile(rf"^{re.escape(label)}( optional)?$")
        self.page.get_by_label(pattern).locator("visible=true").fill(text)

    def presses(self, name: str) -> None:
        self.page.get_by_role("button", name=re.compile(rf"^{name}\b")).first.click()

    def heading(self, text: str) -> Locator:
        return self.page.get_by_role("heading", level=1, name=text, exact=True)
