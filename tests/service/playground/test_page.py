"""The page for everybody: by keyboard, by ear, in the dark, on a phone, behind a key, without scores or replies."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.paths import NANO_CHECKPOINT
from tests.helpers.server.browser import (
    NARROW,
    choose_images,
    find_barriers,
    get_answer,
    measure_overflow,
    open_playground,
    read_bars,
    send_question,
    wait_until_finished,
)
from tests.helpers.server.keys import LIMITED_KEY
from tests.helpers.server.processes import ServerProcess
from tests.helpers.server.threads import run_nano_server

HARMFUL = EXAMPLES[1]


def is_in_view(locator: Locator) -> bool:
    """Whether a visitor sees all of an element, without scrolling and with nothing over it."""
    seen = locator.evaluate(
        """(element) => {
            const {left, right, top, bottom} = element.getBoundingClientRect();
            const over = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            return left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight && element.contains(over);
        }"""
    )
    assert isinstance(seen, bool)
    return seen


def test_light_and_dark_follow_the_system(browser: Browser, server: ServerProcess) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        with open_playground(browser, server.url, color_scheme=scheme) as page:
            colour = page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
            brightness[scheme] = sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    assert brightness["light"] > 600
    assert brightness["dark"] < 150


def expect_no_overflow(page: Page) -> None:
    """Check that nothing is wider than the screen, on a small phone, on a large one, on a tablet and on a desk."""
    for width in (320, 390, 768, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        assert measure_overflow(page) == 0, width


def test_nothing_is_wider_than_the_screen(page: Page) -> None:
    expect_no_overflow(page)
    choose_images(page, *["weapon.png"] * 7)
    page.get_by_role("button", name="Options").click()
    expect_no_overflow(page)
    send_question(page, "What is in this picture?", "identity-card.png")
    expect(page.locator(".asked img")).to_have_count(8)
    expect_no_overflow(page)
    # Together with eight images, this word would be more than the model can read.
    page.locator("#new").click()
    send_question(page, "What is in this picture? " + "Verylongword" * 20, "identity-card.png")
    expect_no_overflow(page)
    get_answer(page).get_by_role("button", name="Details").click()
    page.get_by_text("The rules of the policy").click()
    expect_no_overflow(page)
    page.get_by_role("tab", name="Policy").click()
    page.get_by_text("Single thresholds").click()
    expect(page.locator("#session")).to_be_visible()
    expect_no_overflow(page)
    page.get_by_role("tab", name="Code").click()
    expect_no_overflow(page)


@pytest.mark.parametrize("viewport", [NARROW, {"width": 1440, "height": 900}])
def test_asking_is_possible_from_everywhere(browser: Browser, server: ServerProcess, viewport: ViewportSize) -> None:
    """The button is always in view: at the start, in a long conversation, and over the details."""
    with open_playground(browser, server.url, viewport=viewport) as page:
        send = page.locator("#send")
        assert is_in_view(send)
        page.mouse.wheel(0, 2000)
        assert is_in_view(send)
        for _ in range(3):
            send_question(page, "What is in this picture?", "weapon.png")
            assert is_in_view(send)
            assert is_in_view(get_answer(page).locator(".badge"))
        page.evaluate("scrollTo(0, 0)")
        assert is_in_view(send)
        get_answer(page).get_by_role("button", name="Details").click()
        assert is_in_view(send)


def test_a_phone_shows_the_details_in_place_of_the_conversation(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url, viewport=NARROW) as page:
        send_question(page, HARMFUL.prompt, HARMFUL.file)
        details, back = get_answer(page).get_by_role("button", name="Details"), page.locator("#back")
        expect(page.locator("#details")).to_be_hidden()
        details.click()
        expect(page.locator("#turns")).to_be_hidden()
        expect(page.locator("#details-title")).to_be_focused()
        assert is_in_view(back)
        assert is_in_view(page.locator("#decision"))
        page.mouse.wheel(0, 5000)
        expect(page.locator("#time-list")).to_be_in_viewport()
        assert is_in_view(back)
        back.click()
        expect(page.locator("#details")).to_be_hidden()
        expect(details).to_be_focused()
        assert is_in_view(details)
        details.click()
        page.keyboard.press("Escape")
        expect(details).to_be_focused()
        # A question from the details leads back to the conversation.
        details.click()
        send_question(page, "What do you see here?")
        expect(page.locator("#turns")).to_be_visible()


def test_the_keyboard_reaches_everything(page: Page) -> None:
    def read_focus() -> str:
        return str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    stops = []
    for _ in range(40):
        page.keyboard.press("Tab")
        stops.append(read_focus())
        if stops[-1] == "details":
            break
    assert stops[:3] == ["tab-ask", "Docs", "Model card"]
    assert stops[3] == "open-history"
    assert stops[-6:] == ["prompt", "files", "camera", "open-options", "send", "details"]
    assert len(stops) == 4 + 6 + 6
    page.locator("#prompt").focus()
    page.keyboard.type("How do I steal a car?")
    page.keyboard.press("Control+Enter")
    wait_until_finished(page)
    expect(page.locator("#decision")).to_have_text("Refused")
    expect(page.locator("#prompt")).to_be_focused()
    page.locator("#tab-ask").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#panel-policy")).to_be_visible()
    expect(page.locator("#panel-ask")).to_be_hidden()
    assert read_focus() == "tab-policy"
    page.keyboard.press("End")
    expect(page.locator("#panel-code")).to_contain_text("How do I steal a car?")
    page.keyboard.press("Home")
    expect(page.locator("#panel-ask")).to_be_visible()


def test_focus_can_be_seen(page: Page) -> None:
    for _ in range(14):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            """() => {
                const one = document.activeElement;
                const shown = one.id === "files" ? one.parentElement : one;
                return getComputedStyle(shown).outlineStyle + getComputedStyle(shown).outlineWidth;
            }"""
        )
        assert outline == "solid3px"


def test_the_verdict_and_the_reply_are_spoken(page: Page) -> None:
    announcement = page.locator("#announcement")
    assert announcement.get_attribute("role") == "status"
    page.evaluate(
        """() => {
            window.spoken = [];
            new MutationObserver(() => window.spoken.push(document.getElementById("announcement").textContent))
                .observe(document.getElementById("announcement"), {childList: true});
        }"""
    )
    send_question(page, "What do you see here?", "safe-scene.png")
    spoken = [text for text in page.evaluate("window.spoken") if not text.endswith("added")]
    reply = get_answer(page).locator(".words").inner_text()
    assert spoken == ["Allowed. No risk found", f"Allowed: {reply}"]
    send_question(page, HARMFUL.prompt, HARMFUL.file)
    expect(announcement).to_contain_text("Refused: ")


def test_a_page_says_what_it_is(page: Page, server: ServerProcess) -> None:
    about = httpx.get(f"{server.url}/playground/about").json()
    expect(page.locator("#model")).to_have_text(f"{about['model']} {about['version']}")
    expect(page.locator("#fitness")).to_have_text(about["description"])
    expect(page.locator("#fitness")).to_have_class("hint miniature")
    links = page.get_by_role("navigation", name="About this server").get_by_role("link")
    expect(links).to_have_text(["Docs", "Model card"])
    for link in links.all():
        address = link.get_attribute("href")
        assert address is not None
        assert httpx.get(address).status_code == 200


def test_a_key_is_asked_for_and_good_for_everything(browser: Browser, keyed: str) -> None:
    assert httpx.get(f"{keyed}/playground").status_code == 401
    for secret, status in (("wrong", 401), (LIMITED_KEY, 200)):
        assert httpx.get(f"{keyed}/playground", auth=("any", secret)).status_code == status
    credentials = {"username": "any", "password": LIMITED_KEY}
    with open_playground(browser, keyed, http_credentials=credentials, quiet=False) as page:
        send_question(page, "How do I steal a car?")
        expect(page.locator("#decision")).to_have_text("Refused")
        expect(page.locator("#why")).to_be_visible()
        # Loading the page took nothing of the allowance: this is the third request.
        send_question(page, "How do I steal a car?")
        expect(get_answer(page).locator(".problem")).to_contain_text("exceeds its request rate")


def test_a_server_that_tells_no_risk_shows_none(browser: Browser) -> None:
    with run_nano_server(expose_risk=False) as url, open_playground(browser, url) as page:
        send_question(page, HARMFUL.prompt, HARMFUL.file)
        expect(page.locator("#decision")).to_have_text("Refused")
        expect(page.locator("#scores-hidden")).to_be_visible()
        for name in ("tab-policy", "scores", "why", "attention", "time"):
            expect(page.locator(f"#{name}")).to_be_hidden()
        assert read_bars(page, "types") == {}
        expect(get_answer(page).locator(".risk")).to_be_empty()
        page.get_by_role("tab", name="Code").click()
        expect(page.locator("#curl")).to_contain_text("/v1/chat")
        assert find_barriers(page) == []


def test_a_server_that_only_judges_gives_verdicts_without_replies(browser: Browser) -> None:
    with run_nano_server(mode="guard") as url, open_playground(browser, url) as page:
        expect(page.locator("#welcome-text")).to_contain_text("This server only judges.")
        choose_images(page, HARMFUL.file)
        page.locator("#prompt").fill(HARMFUL.prompt)
        page.get_by_role("button", name="Judge").click()
        wait_until_finished(page)
        expect(page.locator("#decision")).to_have_text("Refused")
        expect(get_answer(page).locator(".words")).to_be_hidden()
        expect(page.locator("#maps .heat")).to_be_visible()
        expect(page.locator("#time-list")).not_to_contain_text("Generate")
        # Each question stands alone.
        send_question(page, "What do you see here?", "safe-scene.png")
        expect(page.locator("#decision")).to_have_text("Allowed")
        expect(page.locator("#maps figure")).to_have_count(1)
        page.get_by_role("tab", name="Code").click()
        expect(page.locator("#snippets pre")).to_have_count(1)
        expect(page.locator("#curl")).to_contain_text("/v1/classify")
        assert find_barriers(page) == []


def test_a_fallback_is_announced_on_the_page(
    browser: Browser, page: Page, unfetched_checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expect(page.locator("#fallback")).to_be_hidden()
    with (
        run_nano_server(checkpoint=unfetched_checkpoint, fallback_checkpoint=NANO_CHECKPOINT) as url,
        open_playground(browser, url, viewport={"width": 320, "height": 800}) as other,
    ):
        notice = other.get_by_role("status").filter(has_text="safevlm-nano is served instead of wanted.")
        expect(notice).to_be_visible()
        expect(notice).to_contain_text("To bring it, run: safevlm parts fetch.")
        expect(other.locator("#model")).to_contain_text("safevlm-nano")
        assert find_barriers(other) == []
        assert measure_overflow(other) == 0
        assert httpx.get(f"{url}/readyz").json()["fallback"]["wanted"] == "wanted"
        warnings = [message for message in caplog.messages if "served instead of" in message]
        assert len(warnings) == 1


def test_a_page_of_another_site_cannot_ask(browser: Browser, server: ServerProcess) -> None:
    """Neither by a script nor by a form, although the browser would send a person's key along."""
    with browser.new_context() as context:
        page = context.new_page()
        other = server.url.replace("127.0.0.1", "localhost")
        page.goto(f"{other}/healthz")
        for path in ("/v1/chat", "/playground/chat"):
            with page.expect_response(f"{server.url}{path}") as answered:
                page.evaluate(
                    """(url) => {
                        const data = new FormData();
                        data.append("prompt", "What is it?");
                        fetch(url, {method: "POST", body: data, mode: "no-cors", credentials: "include"});
                    }""",
                    f"{server.url}{path}",
                )
            assert answered.value.status == 403
        assert (
            page.evaluate("(url) => fetch(`${url}/playground/about`).then(() => 'read', () => 'kept')", server.url)
            == "kept"
        )
