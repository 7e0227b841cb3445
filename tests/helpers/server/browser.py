"""A browser with the playground, the actions of its users, and checks of its console and requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect

from tests.helpers.paths import ROOT

CHROMIUM = "/usr/bin/chromium"
TIMEOUT_MS = 60_000
"""Long enough for a busy machine."""


def launch_browser(playwright: Playwright) -> Browser:
    """Start the system's browser without requests of its own."""
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
    """Open the playground and wait until it is ready; fails at the end on console messages or requests elsewhere.

    Args:
        browser: of the page.
        url: of the server.
        quiet: whether the console must stay empty; the browser also logs error responses there.
        context: options of the browser's context, such as ``color_scheme``.
    """
    complaints: list[str] = []
    strangers: list[str] = []

    def collect(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    with browser.new_context(**{"viewport": {"width": 1360, "height": 1000}} | context) as within:
        within.set_default_timeout(TIMEOUT_MS)
        expect.set_options(timeout=TIMEOUT_MS)
        page = within.new_page()
        page.on("console", collect)
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
    """Send an example and wait for the end of the reply."""
    buttons = page.locator("#examples button").filter(has=page.locator(f'img[src$="{name}"]'))
    with page.expect_response("**/v1/chat"):  # the picture is fetched before
        (buttons if prompt is None else buttons.filter(has_text=prompt)).first.click()
    wait_until_finished(page)


def send_question(page: Page, prompt: str, *files: str) -> None:
    """Send a question about example pictures and wait for the end of the reply."""
    if files:
        page.locator("#files").set_input_files([ROOT / "examples" / file for file in files])
    page.locator("#prompt").fill(prompt)
    page.locator("#send").click()
    wait_until_finished(page)


def wait_until_finished(page: Page) -> None:
    """Wait until no request is running."""
    expect(page.locator("#verdict")).not_to_have_attribute("data-decision", "waiting")
    expect(page.locator("#stop")).to_be_disabled()


def read_bars(page: Page, name: str) -> dict[str, str]:
    """The names and values of a list of bars."""
    items = page.locator(f"#{name} li")
    return {
        item.locator(".name").inner_text(): item.locator(".value").inner_text()
        for item in (items.nth(index) for index in range(items.count()))
    }
