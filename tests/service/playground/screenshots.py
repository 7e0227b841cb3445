"""Takes the pictures of the page that stand in the documentation: ``make screenshots``."""

import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.paths import NANO_CHECKPOINT
from tests.helpers.server.browser import launch_browser, open_playground, take_example
from tests.helpers.server.processes import run_server

WIDTH = 1280


def main(folder: Path) -> None:
    """Play the conversation of the README, and look at it."""
    with run_server(NANO_CHECKPOINT) as server, sync_playwright() as playwright, launch_browser(playwright) as browser:
        with open_playground(browser, server.url, viewport={"width": WIDTH, "height": 900}) as page:
            for example in EXAMPLES:
                take_example(page, example.file)
            take_example(page, EXAMPLES[1].file, EXAMPLES[1].prompt)
            _shoot(page, folder / "playground-refused.png")
            page.get_by_role("tab", name="Try a policy").click()
            page.locator('[data-number="illegal.3"]').fill("1.01")
            page.locator('[data-action="misleading.3"]').select_option("caution")
            expect(page.locator("#change-count")).to_contain_text("decisions would change")
            expect(page.locator("#session .changed").first).to_be_visible()
            _shoot(page, folder / "playground-policy.png")
        with open_playground(
            browser, server.url, color_scheme="dark", viewport={"width": WIDTH, "height": 900}
        ) as page:
            take_example(page, "weapon.png", "What is in this picture?")
            _shoot(page, folder / "playground-dark.png")
        with open_playground(
            browser, server.url, viewport={"width": 390, "height": 844}, device_scale_factor=2
        ) as page:
            take_example(page, "safe-scene.png")
            page.screenshot(path=folder / "playground-narrow.png", full_page=False)


def _shoot(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(), window.scrollTo(0, 0)")
    page.screenshot(path=path, full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
