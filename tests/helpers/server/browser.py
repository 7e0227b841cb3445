"""A browser on the page: what a person does with it, and what must never happen while they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect

from tests.helpers.paths import ROOT

CHROMIUM = "/usr/bin/chromium"
TIMEOUT_MS = 60_000
"""For a machine that is busy with other things; nothing waits so long where all is well."""


def launch_browser(playwright: Playwright) -> Browser:
    """The system's browser, which asks nobody but the page's server for anything."""
    return playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ],
    )


@contextmanager
def open_playground(browser: Browser, url: str, *, quiet: bool = True, **context: Any) -> Iterator[Page]:
    """The page, once it can be used; fails at the end if it complained or called anybody but its server.

    Args:
        browser: to open it in.
        url: of the server.
        quiet: whether its console must stay empty; a reply that is an error is told there too.
        context: of the browser's context, such as ``color_scheme``.
    """
    complaints: list[str] = []
    strangers: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    with browser.new_context(**{"viewport": {"width": 1360, "height": 1000}} | context) as within:
        within.set_default_timeout(TIMEOUT_MS)
        expect.set_options(timeout=TIMEOUT_MS)
        page = within.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: strangers.append(request.url))
        page.goto(f"{url}/playground")
        page.locator("body[data-ready]").wait_for()
        yield page
    own = (f"{url}/", "data:", f"blob:{url}/")
    foreign = [one for one in strangers if not one.startswith(own)]
    broken = [one for one in complaints if quiet or "Content Security Policy" in one or "TrustedHTML" in one]
    assert (foreign, broken) == ([], []), (foreign, broken)


def take_example(page: Page, name: str, prompt: str | None = None) -> None:
    """Ask what an example asks, and wait for the end of it."""
    buttons = page.locator("#examples button").filter(has=page.locator(f'img[src$="{name}"]'))
    with page.expect_response("**/v1/chat"):  # the picture is fetched before
        (buttons if prompt is None else buttons.filter(has_text=prompt)).first.click()
    wait_until_finished(page)


def send_question(page: Page, prompt: str, *files: str) -> None:
    """Ask about some of the example pictures, and wait for the end of it."""
    if files:
        page.locator("#files").set_input_files([ROOT / "examples" / file for file in files])
    page.locator("#prompt").fill(prompt)
    page.locator("#send").click()
    wait_until_finished(page)


def wait_until_finished(page: Page) -> None:
    """Wait until nothing runs any more."""
    expect(page.locator("#verdict")).not_to_have_attribute("data-decision", "waiting")
    expect(page.locator("#stop")).to_be_disabled()


def read_bars(page: Page, name: str) -> dict[str, str]:
    """What a list of bars says."""
    items = page.locator(f"#{name} li")
    return {
        item.locator(".name").inner_text(): item.locator(".value").inner_text()
        for item in (items.nth(index) for index in range(items.count()))
    }
