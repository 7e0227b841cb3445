"""The page for everybody: by keyboard, by ear, in the dark, on a small screen, behind a key, without scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.paths import NANO_CHECKPOINT
from tests.helpers.server.browser import open_playground, read_bars, send_question, take_example, wait_until_finished
from tests.helpers.server.keys import LIMITED_KEY
from tests.helpers.server.processes import ServerProcess, run_server


def faults(page: Page) -> Sequence[tuple[str, str]]:
    """What an accessibility checker finds: rule, and where."""
    found: dict[str, Any] = Axe().run(page).response
    return [(one["id"], node["html"]) for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 400)])
def test_a_checker_finds_no_barrier(browser: Browser, server: ServerProcess, scheme: str, width: int) -> None:
    with open_playground(browser, server.url, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        assert faults(page) == []
        for index in range(3):
            take_example(page, EXAMPLES[index].file)
            assert faults(page) == []
        page.get_by_role("tab", name="Try a policy").click()
        page.locator('[data-switch="privacy"]').uncheck()
        expect(page.locator("#change-count")).to_have_text("1 of 3 decisions would change")
        assert faults(page) == []


def test_light_and_dark_follow_the_system(browser: Browser, server: ServerProcess) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        with open_playground(browser, server.url, color_scheme=scheme) as page:
            colour = page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
            brightness[scheme] = sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    assert brightness["light"] > 600
    assert brightness["dark"] < 150


@pytest.mark.parametrize("width", [320, 1360])
def test_nothing_is_wider_than_the_screen(browser: Browser, server: ServerProcess, width: int) -> None:
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    with open_playground(browser, server.url, viewport={"width": width, "height": 800}) as page:
        take_example(page, "identity-card.png")
        assert page.evaluate(overflow) == 0
        page.get_by_role("tab", name="Try a policy").click()
        expect(page.locator("#session")).to_be_visible()
        assert page.evaluate(overflow) == 0


def test_the_keyboard_reaches_everything(page: Page) -> None:
    def focused() -> str:
        return str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    stops = []
    for _ in range(24):
        page.keyboard.press("Tab")
        stops.append(focused())
        if stops[-1] == "send":
            break
    assert stops[0] == "tab-ask"
    assert stops[-4:] == ["files", "prompt", "Options", "send"]
    assert len(stops) == 1 + len(EXAMPLES) + 1 + 4
    page.locator("#prompt").focus()
    page.keyboard.type("How do I steal a car?")
    page.keyboard.press("Control+Enter")
    wait_until_finished(page)
    expect(page.locator("#decision")).to_have_text("Refused")
    page.locator("#tab-ask").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#panel-policy")).to_be_visible()
    expect(page.locator("#panel-ask")).to_be_hidden()
    assert focused() == "tab-policy"
    page.keyboard.press("Home")
    expect(page.locator("#panel-ask")).to_be_visible()


def test_focus_can_be_seen(page: Page) -> None:
    page.keyboard.press("Tab")
    for _ in range(8):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            """() => {
                const one = document.activeElement;
                const shown = one.id === "files" ? one.parentElement : one;
                return getComputedStyle(shown).outlineStyle + getComputedStyle(shown).outlineWidth;
            }"""
        )
        assert outline == "solid3px"


def test_the_verdict_is_spoken(page: Page) -> None:
    expect(page.get_by_role("tab", name="Ask")).to_have_attribute("aria-selected", "true")
    take_example(page, "weapon.png", EXAMPLES[1].prompt)
    expect(page.get_by_role("status").filter(has_text="Refused")).to_be_visible()
    assert page.locator("#reply").get_attribute("aria-live") == "polite"
    expect(page.locator("#reply")).to_have_attribute("aria-busy", "false")


def test_a_key_is_asked_for_and_good_for_everything(browser: Browser, keyed: ServerProcess) -> None:
    assert httpx.get(f"{keyed.url}/playground").status_code == 401
    for secret, status in (("wrong", 401), (LIMITED_KEY, 200)):
        assert httpx.get(f"{keyed.url}/playground", auth=("any", secret)).status_code == status
    credentials = {"username": "any", "password": LIMITED_KEY}
    with open_playground(browser, keyed.url, http_credentials=credentials, quiet=False) as page:
        send_question(page, "How do I steal a car?")
        expect(page.locator("#decision")).to_have_text("Refused")
        expect(page.locator("#why")).to_be_visible()
        # Loading the page took nothing of the allowance: this is the third request.
        page.locator("#send").click()
        expect(page.locator("#risk")).to_contain_text("exceeds its request rate")


def test_a_server_that_tells_no_risk_shows_none(browser: Browser) -> None:
    with run_server(NANO_CHECKPOINT, expose_risk="false") as server, open_playground(browser, server.url) as page:
        send_question(page, "How do I steal a car?")
        expect(page.locator("#decision")).to_have_text("Refused")
        expect(page.locator("#scores-hidden")).to_be_visible()
        for name in ("tab-policy", "scores", "why", "time"):
            expect(page.locator(f"#{name}")).to_be_hidden()
        assert read_bars(page, "types") == {}


def test_a_fallback_is_announced_on_the_page(browser: Browser, page: Page, unfetched_checkpoint: Path) -> None:
    expect(page.locator("#fallback")).to_be_hidden()
    narrow = {"width": 320, "height": 800}
    with (
        run_server(unfetched_checkpoint, fallback_checkpoint=NANO_CHECKPOINT) as server,
        open_playground(browser, server.url, viewport=narrow) as other,
    ):
        notice = other.get_by_role("status").filter(has_text="safevlm-nano is served instead of wanted.")
        expect(notice).to_be_visible()
        expect(notice).to_contain_text("To bring it, run: safevlm parts fetch.")
        expect(other.locator("#model")).to_have_text("safevlm-nano")
        assert faults(other) == []
        assert other.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert httpx.get(f"{server.url}/readyz").json()["fallback"]["wanted"] == "wanted"
        warnings = [line for line in server.log.read_text().splitlines() if "served instead of" in line]
        assert len(warnings) == 1


def test_a_page_of_another_site_cannot_ask(browser: Browser, server: ServerProcess) -> None:
    """Neither by a script nor by a form, although the browser would send a person's key along."""
    with browser.new_context() as context:
        page = context.new_page()
        other = server.url.replace("127.0.0.1", "localhost")
        page.goto(f"{other}/healthz")
        with page.expect_response(f"{server.url}/v1/chat") as answered:
            page.evaluate(
                """(url) => {
                    const data = new FormData();
                    data.append("prompt", "What is it?");
                    fetch(`${url}/v1/chat`, {method: "POST", body: data, mode: "no-cors", credentials: "include"});
                }""",
                server.url,
            )
        assert answered.value.status == 403
        assert (
            page.evaluate("(url) => fetch(`${url}/playground/about`).then(() => 'read', () => 'kept')", server.url)
            == "kept"
        )
