"""Every page in a real browser: what it holds, how wide it is, whether everybody can use it, and that it works
with keys alone and without script.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from datanika_site.tests import browser as browsing
from datanika_site.tests.installation import Installation, free_port

pytestmark = pytest.mark.e2e

EMAIL, PASSWORD = "olga@example.com", "sardine-lighthouse-42"
#: An organization in which something has happened: a run that went well, one that did not, a bit of everything.
PREPARE = f"""
from datanika_site.tests.scenario import make_shop
from alerts import services as alerts
from common.access import Role
from orchestration import services as orchestration
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition
from pipelines.models import PipelineDraft
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership, User
organization = services.set_up(
    email="{EMAIL}", name="Olga Berg", password="{PASSWORD}", organization_name="Harbour"
)
actor = Actor.member(Membership.all_organizations.get())
shop = make_shop(organization, actor)
shop.transformation(
    "stg_orders",
    "select * from {{{{ source('raw_shop', 'orders') }}}}",
    folder="staging",
    tags=("nightly",),
    tests=(
        {{"column": "id", "kind": "unique"}},
        {{"column": "customer", "kind": "not_null", "severity": "warn"}},
    ),
)
shop.transformation(
    "fct_orders",
    "select customer, count(*) as orders from {{{{ ref('stg_orders') }}}} group by 1",
    materialization="table",
)
shop.run()
shop.transformation("broken", "select nothing_like_it from {{{{ ref('stg_orders') }}}}")
shop.run(target="transformation:broken")
orchestration.create_schedule(
    organization=organization, actor=actor, name="Mornings", expression="30 7 * * 1-5",
    time_zone="Europe/Berlin", target="pipeline:orders",
)
services.invite(organization=organization, email="ben@example.com", role=Role.EDITOR, actor=actor)
services.issue_api_key(organization=organization, name="Ingest", role=Role.EDITOR, actor=actor)
orchestration.add_dependency(
    organization=organization, actor=actor, upstream="pipeline:orders",
    downstream="transformation:fct_orders", max_age_seconds=93_600, rule="any_succeeded",
)
channel, _secret = alerts.create_channel(
    organization=organization, actor=actor, kind="webhook",
    settings=alerts.ChannelSettings(name="Incident desk", url="http://127.0.0.1:9/hook"),
)
alerts.create_channel(
    organization=organization, actor=actor, kind="email",
    settings=alerts.ChannelSettings(name="Data team", addresses=("data@example.com",)),
)
alerts.create_rule(
    organization=organization, actor=actor,
    settings=alerts.RuleSettings(
        name="Orders are late", channels=("incident-desk", "data-team"), scope="pipeline",
        pipeline="orders", no_success_seconds=93_600, overdue_seconds=3600, too_long_factor=3.0,
    ),
)
alerts.send_test(channel=channel, actor=actor)
backfill = orchestration.request_backfill(
    organization=organization, actor=actor, pipeline=shop.pipeline, resource="orders",
    cursor_from="2026-01-01", cursor_to="2026-01-20", slice_size="1 day",
)
orchestration.pause_backfill(backfill=backfill, actor=actor)
pipelines.create_pipeline(
    organization=organization, actor=actor, source=shop.source, destination=shop.warehouse,
    definition=PipelineDefinition.parse({{
        "name": "Everything", "dataset": "raw_everything", "mode": "full_database",
        "source_schema": "main", "include": ["ord*"], "write_disposition": "merge",
        "schema_contract": {{"columns": "freeze"}}, "verify": "counts",
    }}),
)
for number, data in enumerate((
    {{"mode": "single_table", "resources": [{{"name": "orders", "target": "orders"}}]}},
    {{
        "mode": "full_database", "write_disposition": "merge", "merge_strategy": "scd2",
        "include": ["ord*"], "exclude": ["*_tmp"], "schema_contract": {{"columns": "freeze"}},
        "resources": [{{"name": "orders", "target": "orders", "column_settings": {{
            "customer": {{"rename": "buyer", "transform": "hash"}}
        }}}}],
    }},
    {{
        "mode": "query", "source_schema": "", "write_disposition": "append", "verify": "sums",
        "resources": [{{"name": "paid", "target": "paid", "query": "SELECT id FROM orders"}}],
        "queries": [
            {{"name": "paid", "query": "SELECT id FROM orders"}}, {{"name": "", "query": "SELECT"}},
        ],
    }},
)):
    ends = {{"source": "shop", "destination": "warehouse", "name": "Draft", "source_schema": "main"}}
    PipelineDraft(
        pk=number + 1, organization=organization, created_by=User.objects.get(),
        data={{**ends, "dataset": f"raw_draft_{{number}}", **data}},
    ).save()
"""

#: Below the organization; what the menu leads to is found in the menu.
DETAILS = (
    "connections/new/", "connections/new/csv/", "connections/new/postgres/", "connections/files/",
    "connections/shop/", "connections/shop/edit/", "connections/shop/catalog/",
    "connections/warehouse/delete/",
    "pipelines/new/", *(f"pipelines/new/{path}/" for path in (
        "1/source", "1/what", "1/how", "1/destination", "2/what", "2/how", "2/how/0", "2/how/add",
        "2/review", "3/what", "3/how", "3/how/0", "3/review",
    )), "pipelines/new/1/what/?mode=full_database",
    "pipelines/orders/", "pipelines/orders/tables/", "pipelines/orders/tables/0/",
    "pipelines/orders/runs/", "pipelines/orders/configuration/",
    "pipelines/orders/state/", "pipelines/orders/state/0/move/", "pipelines/orders/state/0/reset/",
    "pipelines/orders/rejects/", "pipelines/orders/rejects/retry/", "pipelines/orders/schema/",
    "pipelines/orders/refresh/", "pipelines/orders/refresh/?what=range",
    "pipelines/orders/configuration/yaml/", "pipelines/everything/configuration/",
    "pipelines/everything/", "pipelines/orders/changes/",
    "pipelines/orders/delete/", "pipelines/orders/sharing/", "connections/shop/sharing/", "shared/",
    "transformations/-/sources/", "transformations/-/new/", "transformations/stg_orders/",
    "transformations/broken/", "transformations/stg_orders/delete/",
    "runs/1/", "runs/2/", "runs/1/configuration/", "runs/?status=failed",
    "runs/?status=failed&trigger=command&q=o", "runs/2/?line=2", "runs/2/configuration/",
    "problems/", "problems/?p=all",
    "backfills/", "backfills/1/", "backfills/create/", "backfills/create/?pipeline=orders",
    "backfills/create/?pipeline=orders&cursor_from=2026-01-01&cursor_to=2026-03-01",
    "lineage/?view=list", "lineage/?node=transformation:stg_orders",
    "lineage/dependencies/create/", "lineage/dependencies/1/edit/", "runs/prepare/",
    "runs/prepare/?target=transformation:stg_orders&select=%2Bstg_orders%2B",
    "schedules/create/", "schedules/mornings/edit/", "trash/",
    "members/leave/", "settings/hand-over/", "settings/delete/",
    "members/invite/", "api-keys/new/", "api-keys/1/rotate/", "audit/2/", "audit/?q=nothing",
    "alerts/rules/create/", "alerts/rules/orders-are-late/edit/", "alerts/channels/",
    "alerts/channels/create/", "alerts/channels/create/?kind=webhook", "alerts/deliveries/", "alerts/deliveries/1/",
)  # fmt: skip
#: Outside of it.
OUTSIDE = (
    "/organizations/",
    "/accounts/password/change/",
    "/organizations/new/",
    "/account/",
    "/account/sessions/",
    "/accounts/reauthenticate/",
    "/api/v1/docs/",
    "/_kit/",
)
SIGNED_OUT = ("/accounts/login/", "/accounts/password/reset/")


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    name: str
    theme: str
    width: int
    height: int
    #: More widths at which nothing may stick out.
    also: tuple[int, ...] = ()


LOOKS = (
    Look("light", "light", 1440, 900, also=(768,)),
    Look("dark", "dark", 1440, 900),
    Look("phone", "light", 390, 844, also=(320,)),
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    installation = Installation(tmp_path_factory.mktemp("pages") / "data")
    installation.environment["DATANIKA_SHOW_KIT"] = "1"
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


def signed_in(browser: Browser, address: str, look: Look, **options: object) -> browsing.Watch:
    watch = browsing.open_page(
        browser, viewport={"width": look.width, "height": look.height}, **options
    )
    theme = {"name": "theme", "value": look.theme, "url": address}
    watch.page.context.add_cookies([theme])  # type: ignore[list-item]
    browsing.sign_in(watch.page, address, EMAIL, PASSWORD)
    return watch


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_every_page_is_sound(browser: Browser, address: str, look: Look) -> None:
    watch = signed_in(browser, address, look)
    menu = watch.page.get_by_role("navigation", name="Main", exact=True, include_hidden=True)
    links = [str(link.get_attribute("href")) for link in menu.locator("a").all()]
    assert len(links) >= 11
    paths = [*links, *(f"/o/harbour/{detail}" for detail in DETAILS), *OUTSIDE]
    watch.take()
    wrong = {path: found for path in paths if (found := visit(watch, address + path, look))}
    watch.page.context.clear_cookies(name="sessionid")
    wrong |= {path: found for path in SIGNED_OUT if (found := visit(watch, address + path, look))}
    watch.page.context.close()
    assert wrong == {}, "\n".join(f"{path}\n    " + "\n    ".join(x) for path, x in wrong.items())


def visit(watch: browsing.Watch, url: str, look: Look) -> list[str]:
    """Everything that is wrong with one page; a picture of it is kept."""
    page = watch.page
    page.set_viewport_size({"width": look.width, "height": look.height})
    answer = page.goto(url)
    assert answer is not None
    browsing.settled(page)
    found = [] if answer.status == 200 else [f"status {answer.status}"]
    found += browsing.problems(watch, answer.text())
    name = re.sub(r"[^a-z0-9]+", "-", url.split("/", 3)[3].removeprefix("o/harbour/")).strip("-")
    page.screenshot(path=folder() / f"{name or 'overview'}-{look.name}.png", full_page=True)
    found += browsing.accessibility(page)
    for width in (look.width, *look.also):
        page.set_viewport_size({"width": width, "height": look.height})
        found += [f"at {width} px: {wide}" for wide in browsing.too_wide(page)]
    return found


def folder() -> Path:
    browsing.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return browsing.SCREENSHOTS


def test_the_palette_and_the_keys(browser: Browser, address: str) -> None:
    watch = signed_in(browser, address, LOOKS[0])
    page = watch.page
    page.goto(f"{address}/o/harbour/pipelines/")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search and commands")
    expect(palette).to_be_visible()
    options = palette.get_by_role("option")
    expect(options.first).to_be_visible()
    before = options.count()
    page.keyboard.type("stg_ord")
    expect(options.filter(has_text="stg_orders").first).to_be_visible()
    expect(options).not_to_have_count(before)
    expect(palette.locator("[aria-selected=true]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox").first).to_be_focused()
    page.keyboard.type("nothing like it")
    expect(page.get_by_role("link", name="Orders", exact=True)).to_have_count(0)
    page.keyboard.press("Tab")

    page.keyboard.press("Control+k")
    page.keyboard.type("stg_ord")
    expect(options.filter(has_text="stg_orders").first).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/transformations/stg_orders/")

    # A menu is reached, walked through and left with keys, and gives the focus back.
    page.goto(f"{address}/o/harbour/")
    opener = page.get_by_role("button", name="Olga Berg")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Your account")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Keyboard shortcuts")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Your account")).to_be_hidden()
    expect(opener).to_be_focused()
    assert watch.take() == []
    page.context.close()


def test_without_script(browser: Browser, address: str) -> None:
    watch = signed_in(browser, address, LOOKS[0], java_script_enabled=False)
    page = watch.page
    page.goto(f"{address}/o/harbour/connections/new/csv/")
    page.get_by_label("Name", exact=True).fill("Plain files")
    page.get_by_label("Path", exact=True).fill("plain/*.csv")
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Plain files")

    page.goto(f"{address}/o/harbour/pipelines/orders/")
    page.get_by_role("button", name=re.compile("^Run")).first.click()
    page.wait_for_url("**/runs/*/")
    reload_until_it_succeeded(page)

    page.goto(f"{address}/o/harbour/schedules/")
    page.get_by_role("button", name="Olga Berg").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page).to_have_url(f"{address}/o/harbour/schedules/")
    page.context.close()


def reload_until_it_succeeded(page: Page) -> None:
    """Without script a page is followed by loading it again."""
    for _attempt in range(60):
        if page.locator("#run-head").get_by_text("Succeeded").count():
            return
        page.wait_for_timeout(1000)
        page.reload()
    raise AssertionError(page.locator("#run-head").inner_text())
