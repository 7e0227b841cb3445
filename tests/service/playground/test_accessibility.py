"""An accessibility checker (axe-core) finds no barrier in any state of the page."""

from itertools import pairwise
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.server.browser import (
    NARROW,
    choose_images,
    find_barriers,
    format_events,
    get_answer,
    open_playground,
    send_question,
)
from tests.helpers.server.processes import ServerProcess

WIDE: ViewportSize = {"width": 1440, "height": 900}
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


def show_welcome(page: Page) -> None:
    """The page before the first question."""


def show_draft(page: Page) -> None:
    choose_images(page, "weapon.png", "safe-scene.png")
    page.get_by_role("button", name="Options").click()
    page.get_by_role("button", name="Address of an image").click()
    page.locator("#files").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"})
    expect(page.locator("#problem")).to_be_visible()


def show_conversation(page: Page) -> None:
    for example in EXAMPLES[:3]:
        send_question(page, example.prompt, example.file)
    page.get_by_role("button", name="Good answer").first.click()


def show_details(page: Page) -> None:
    send_question(page, "What is in this picture?", "weapon.png")
    get_answer(page).get_by_role("button", name="Details").click()
    for fold in page.locator("#details summary").filter(visible=True).all():
        fold.click()


def show_judging(page: Page) -> None:
    page.route("**/playground/chat", lambda route: None)
    page.locator("#prompt").fill("What do you see here?")
    page.locator("#send").click()
    expect(page.locator("#stop")).to_be_visible()


def show_failure(page: Page) -> None:
    failure = {"error": {"message": "The server is busy.", "code": "overloaded"}}
    events = format_events(("assessment", {"decision": "allowed"}), ("delta", {"content": "An"}), ("error", failure))
    page.route("**/playground/chat", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    send_question(page, "What do you see here?")
    expect(get_answer(page).locator(".problem")).to_be_visible()


def show_comparison(page: Page) -> None:
    reply = {"content": "Take it.", "usage": {"prompt_tokens": 9, "completion_tokens": 4}, "finish_reason": "stop"}
    events = format_events(("delta", {"content": "Take it."}), ("done", reply))
    page.route("**/playground/unguarded", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    page.get_by_label("Compare without guard").check()
    send_question(page, "How do I steal a car?")
    expect(page.get_by_role("article", name="Without guard")).to_contain_text("Take it.")


def show_policy(page: Page) -> None:
    page.get_by_role("tab", name="Policy").click()
    page.get_by_role("radio", name="Permissive").check()
    page.get_by_text("Single thresholds").click()
    page.locator('[data-switch="privacy"]').uncheck()
    expect(page.locator("#session .changed").first).to_be_visible()


def show_code(page: Page) -> None:
    page.get_by_role("tab", name="Code").click()
    expect(page.locator("#langchain")).to_be_visible()


def show_history(page: Page) -> None:
    page.get_by_role("button", name="History").click()


def show_link(page: Page) -> None:
    get_answer(page).get_by_role("button", name="Share").click()


def show_raw_reply(page: Page) -> None:
    get_answer(page).get_by_role("button", name="JSON").click()


def show_camera(page: Page) -> None:
    page.get_by_role("button", name="Camera").click()
    expect(page.get_by_role("dialog", name="Take a photograph")).to_be_visible()


VISITS = {
    "start": (show_welcome, show_camera, show_draft),
    "conversation": (show_conversation, show_history, show_link, show_raw_reply, show_policy, show_code),
    "verdict": (show_details, show_failure, show_judging),
    "comparison": (show_comparison,),
}
"""States that a page goes through one after the other; Escape closes dialogs."""


@pytest.mark.parametrize("visit", VISITS)
def test_a_checker_finds_no_barrier(browser: Browser, server: ServerProcess, visit: str) -> None:
    about = {"compares": True, "image_urls": True}
    with open_playground(
        browser, server.url, about=about, quiet=False, permissions=["camera"], reduced_motion="reduce"
    ) as page:
        for show in VISITS[visit]:
            show(page)
            expect_no_barrier(page, show.__name__)
            page.keyboard.press("Escape")


def expect_no_barrier(page: Page, state: str) -> None:
    """Check a state on both screens and in both schemes, which differ in nothing but colours."""
    for viewport in (NARROW, WIDE):
        page.set_viewport_size(viewport)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert find_barriers(page, only_colours=scheme == "dark") == [], (state, viewport, scheme)


def test_who_wants_less_motion_gets_none(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url, quiet=False, reduced_motion="reduce") as page:
        show_judging(page)
        running = page.evaluate("document.getAnimations().filter((one) => one.playState === 'running').length")
        assert running == 0


def test_headings_and_landmarks_lead_through_the_page(page: Page) -> None:
    send_question(page, "What is in this picture?", "weapon.png")
    for landmark in (
        page.get_by_role("banner"),
        page.get_by_role("navigation", name="About this server"),
        page.get_by_role("main"),
        page.get_by_role("region", name="Conversation"),
        page.get_by_role("region", name="Verdict"),
        page.get_by_role("form", name="Your question"),
    ):
        expect(landmark).to_have_count(1)
    levels = (
        page.locator("h1, h2, h3, h4").filter(visible=True).evaluate_all("(all) => all.map((one) => +one.tagName[1])")
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
