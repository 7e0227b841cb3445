"""Takes the screenshots of the page that are in the documentation: ``make screenshots``.

python -m tests.service.playground.screenshots FOLDER           those of the documentation
python -m tests.service.playground.screenshots FOLDER --every   every state, light, dark and on a phone
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.paths import NANO_CHECKPOINT
from tests.helpers.server.browser import (
    NARROW,
    choose_images,
    get_answer,
    launch_browser,
    open_playground,
    send_question,
)
from tests.helpers.server.processes import run_server

WIDE = {"width": 1440, "height": 900}
SCREENS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": NARROW, "device_scale_factor": 2, "has_touch": True, "is_mobile": True},
}


def show_welcome(page: Page) -> None:
    """The page before the first question."""


def show_draft(page: Page) -> None:
    choose_images(page, "weapon.png", "safe-scene.png")
    page.locator("#prompt").fill("What do these two have in common?")
    page.get_by_role("button", name="Options").click()


def show_refusal(page: Page) -> None:
    send_question(page, "What is in this picture?", "weapon.png")
    send_question(page, EXAMPLES[1].prompt)


def show_details(page: Page) -> None:
    send_question(page, "What is in this picture?", "weapon.png")
    get_answer(page).get_by_role("button", name="Details").click()
    page.get_by_text("The rules of the policy").click()


def show_comparison(page: Page) -> None:
    page.get_by_label("Compare without guard").check()
    send_question(page, EXAMPLES[1].prompt, EXAMPLES[1].file)


def show_failure(page: Page) -> None:
    page.route("**/playground/chat", lambda route: route.abort())
    send_question(page, "What do you see here?", "safe-scene.png")


def show_policy(page: Page) -> None:
    for example in EXAMPLES:
        send_question(page, example.prompt, example.file)
    page.get_by_role("tab", name="Policy").click()
    page.get_by_role("radio", name="Permissive").check()
    expect(page.locator("#session")).to_be_visible()
    expect(page.locator("#change-count")).to_contain_text("would change")


def show_rules(page: Page) -> None:
    show_policy(page)
    page.get_by_text("Single thresholds").click()
    page.locator('[data-number="illegal.3"]').fill("1.01")
    expect(page.locator("#session .changed").first).to_be_visible()


def show_code(page: Page) -> None:
    show_refusal(page)
    page.get_by_role("tab", name="Code").click()


def show_history(page: Page) -> None:
    show_refusal(page)
    page.locator("#new").click()
    send_question(page, "What do you see here?", "safe-scene.png")
    page.get_by_role("button", name="History").click()


def show_link(page: Page) -> None:
    show_refusal(page)
    get_answer(page).get_by_role("button", name="Share").click()


def show_raw_reply(page: Page) -> None:
    show_refusal(page)
    get_answer(page).get_by_role("button", name="JSON").click()


DOCUMENTED: dict[str, tuple[Callable[[Page], None], str]] = {
    "playground-welcome": (show_welcome, "light"),
    "playground-refused": (show_refusal, "light"),
    "playground-comparison": (show_comparison, "light"),
    "playground-policy": (show_policy, "light"),
    "playground-dark": (show_details, "dark"),
    "playground-narrow": (show_refusal, "phone"),
}
"""Name of a file → what it shows, and the screen."""

STATES = (
    *(show_welcome, show_draft, show_refusal, show_details, show_comparison, show_failure),
    *(show_policy, show_rules, show_code, show_history, show_link, show_raw_reply),
)


def main(folder: Path, *, shoot_every: bool) -> None:
    """Bring the page into each state, and take its screenshot."""
    shots = DOCUMENTED
    if shoot_every:
        shots = {
            f"{show.__name__.removeprefix('show_')}-{screen}": (show, screen) for show in STATES for screen in SCREENS
        }
    folder.mkdir(parents=True, exist_ok=True)
    with (
        run_server(NANO_CHECKPOINT, playground_compare="true") as server,
        sync_playwright() as playwright,
        launch_browser(playwright) as browser,
    ):
        for name, (show, screen) in shots.items():
            _shoot(browser, server.url, show, screen, folder / f"{name}.png")


def _shoot(browser: Browser, url: str, show: Callable[[Page], None], screen: str, path: Path) -> None:
    with open_playground(browser, url, quiet=False, **SCREENS[screen]) as page:
        show(page)
        page.mouse.move(0, 0)
        page.screenshot(path=path, animations="disabled", caret="hide")


if __name__ == "__main__":
    main(Path(sys.argv[1]), shoot_every="--every" in sys.argv[2:])
