"""A browser with the playground, the actions of its users, and checks of its console, requests and accessibility."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, Route, ViewportSize, expect

from tests.helpers.paths import ROOT

CHROMIUM = "/usr/bin/chromium"
TIMEOUT_MS = 60_000
"""Long enough for a busy machine."""

NARROW: ViewportSize = {"width": 390, "height": 844}
"""Screen of a phone."""

DECISIONS = {"allowed": "Allowed", "cautioned": "Answered with care", "refused": "Refused"}
"""Words of the page for decisions."""


def launch_browser(playwright: Playwright) -> Browser:
    """Start the system's browser without requests of its own, and with a camera that shows a test picture."""
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
            "--use-fake-device-for-media-stream",
        ],
    )


@contextmanager
def open_playground(
    browser: Browser,
    url: str,
    *,
    path: str = "/playground",
    quiet: bool = True,
    about: Mapping[str, Any] | None = None,
    **context: Any,
) -> Iterator[Page]:
    """Open the playground and wait until it is ready; fails at the end on console messages or requests elsewhere.

    Args:
        browser: of the page.
        url: of the server.
        path: of the page, with a fragment if a link has one.
        quiet: whether the console must stay empty; the browser also logs error responses there.
        about: fields with which the server's description of itself is changed.
        context: options of the browser's context, such as ``color_scheme``.
    """
    complaints: list[str] = []
    strangers: list[str] = []

    def collect(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    def describe(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | dict(about or {}))

    with browser.new_context(**{"viewport": {"width": 1440, "height": 900}} | context) as within:
        within.set_default_timeout(TIMEOUT_MS)
        expect.set_options(timeout=TIMEOUT_MS)
        page = within.new_page()
        page.on("console", collect)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: strangers.append(request.url))
        if about is not None:
            page.route("**/playground/about", describe)
        page.goto(f"{url}{path}")
        page.locator("body[data-ready]").wait_for()
        yield page
    own = (f"{url}/", "data:", f"blob:{url}/")
    foreign = [one for one in strangers if not one.startswith(own)]
    broken = [one for one in complaints if quiet or "Content Security Policy" in one or "TrustedHTML" in one]
    assert (foreign, broken) == ([], []), (foreign, broken)


def take_example(page: Page, title: str) -> None:
    """Send the example with this title, in a new conversation, and wait for the end of the reply."""
    if page.locator("#new").is_visible():
        page.locator("#new").click()
    with page.expect_response("**/playground/chat"):  # the image is fetched before
        page.locator("#examples .example").filter(has=page.get_by_text(title, exact=True)).click()
    wait_until_finished(page)


def choose_images(page: Page, *files: str | Path) -> None:
    """Choose images by the file chooser: names of example pictures, or paths."""
    paths = [file if isinstance(file, Path) else ROOT / "examples" / file for file in files]
    page.locator("#files").set_input_files(paths)
    expect(page.locator("#thumbs li").last).to_be_visible()


def send_question(page: Page, prompt: str, *files: str | Path) -> None:
    """Send a question, with images if there are any, and wait for the end of the reply."""
    if files:
        choose_images(page, *files)
    page.locator("#prompt").fill(prompt)
    page.locator("#send").click()
    wait_until_finished(page)


def wait_until_finished(page: Page) -> None:
    """Wait until no question is being answered."""
    page.locator("#stop").evaluate(
        """(stop, limit) => new Promise((resolve, reject) => {
            const look = () => stop.hidden && resolve();
            new MutationObserver(look).observe(stop, {attributeFilter: ["hidden"]});
            setTimeout(() => reject(new Error("the question is still being answered")), limit);
            look();
        })""",
        TIMEOUT_MS,
    )


def get_answer(page: Page) -> Locator:
    """The newest answer of the guarded model."""
    return page.locator(".turn").last.locator(".answer:not(.unguarded)")


def change_judgement(page: Page, change: Callable[[dict[str, Any]], object]) -> None:
    """Let the page see judgements that ``change`` has changed; only of questions without images.

    The browser does not tell the bytes of files to those who intercept a request, so images would be asked about empty.
    """

    def answer(route: Route) -> None:
        response = route.fetch()
        assert response.ok, response.text()
        judged = response.json()
        change(judged)
        route.fulfill(response=response, json=judged)

    page.route("**/playground/judgement", answer)


def read_bars(page: Page, name: str) -> dict[str, str]:
    """The names and values of a list of bars, also of those that are folded."""
    items = page.locator(f"#{name} .bars li")
    return {
        item.locator(".name").text_content() or "": item.locator(".value").text_content() or ""
        for item in (items.nth(index) for index in range(items.count()))
    }


def find_barriers(page: Page, *, only_colours: bool = False) -> Sequence[tuple[str, str]]:
    """The findings of an accessibility checker: rule, and element.

    Args:
        page: as it is shown now.
        only_colours: whether to apply only the rules about colours, which are a small part of all.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only_colours:
        options["runOnly"] = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    violations = page.evaluate("async (options) => (await axe.run(options)).violations", options)
    return [(one["id"], node["html"]) for one in violations for node in one["nodes"]]


def measure_overflow(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert isinstance(overflow, int)
    return overflow


def format_events(*events: tuple[str, Mapping[str, Any]]) -> str:
    """The body of a stream of events, for responses that a test makes up."""
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
