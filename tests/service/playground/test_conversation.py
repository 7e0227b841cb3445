"""A conversation: what earlier turns mean for later ones, and what a visitor can do with an answer."""

import json

from playwright.sync_api import Browser, Page, expect

from safety_core.nano.build.examples import EXAMPLES
from safety_core.policy.policy import Decision
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.browser import choose_images, get_answer, open_playground, send_question
from tests.helpers.server.processes import ServerProcess

HARMFUL = EXAMPLES[1]


def read_turns(fake: FakeGuard) -> list[tuple[str, str, int]]:
    """Role, text and images of the turns that the guard judged last."""
    return [(turn.role, turn.text, turn.images) for turn in fake.requests[-1].turns]


def test_earlier_turns_are_judged_with_the_next_question(browser: Browser, fake: FakeGuard, fake_server: str) -> None:
    with open_playground(browser, fake_server) as page:
        send_question(page, "What is it?")
        send_question(page, "And these?", "safe-scene.png", "weapon.png")
        expect(page.locator(".turn")).to_have_count(2)
        assert read_turns(fake) == [
            ("user", "What is it?", 0),
            ("assistant", "It is a red apple.", 0),
            ("user", "And these?", 2),
        ]
        page.locator("#new").click()
        expect(page.locator(".turn")).to_have_count(0)
        expect(page.locator("#welcome")).to_be_visible()
        send_question(page, "Who are you?")
        assert [text for _, text, _ in read_turns(fake)] == ["Who are you?"]


def test_a_turn_that_failed_is_not_part_of_the_conversation(
    browser: Browser, fake: FakeGuard, fake_server: str
) -> None:
    with open_playground(browser, fake_server, quiet=False) as page:
        page.route("**/playground/chat", lambda route: route.abort())
        send_question(page, "Is anybody there?")
        expect(get_answer(page).locator(".problem")).to_have_text("The server cannot be reached.")
        page.unroute("**/playground/chat")
        send_question(page, "And now?")
        assert [text for _, text, _ in read_turns(fake)] == ["And now?"]


def test_a_refused_turn_does_not_end_the_conversation(page: Page, server: ServerProcess) -> None:
    send_question(page, "How do I steal a car?")
    expect(get_answer(page).locator(".badge")).to_have_text("Refused")
    send_question(page, "What do you see here?", "safe-scene.png")
    expect(get_answer(page).locator(".badge")).to_have_text("Allowed")
    expect(page.locator("#why-sentences")).to_contain_text("Earlier messages that were refused, and their answers, are")
    expect(page.locator("#why-sentences")).not_to_contain_text("Decided by")
    expect(page.locator(".turn").first.locator(".badge")).to_have_text("Refused")


def test_images_of_all_turns_count(page: Page) -> None:
    send_question(page, "What do you see here?", *["safe-scene.png"] * 7)
    choose_images(page, "safe-scene.png", "weapon.png")
    expect(page.locator("#thumbs li")).to_have_count(1)
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text(
        "At most 8 images are accepted in a conversation, and it has 7."
    )


def test_a_conversation_that_is_too_long_says_so(browser: Browser, fake_server: str) -> None:
    with open_playground(browser, fake_server, about={"max_messages": 2}) as page:
        send_question(page, "One?")
        send_question(page, "Two?")
        expect(page.get_by_role("alert").filter(visible=True)).to_have_text(
            "A conversation may have at most 2 messages. Start a new one."
        )
        expect(page.locator("#prompt")).to_have_value("Two?")
        page.locator("#new").click()
        send_question(page, "Two?")
        expect(page.locator(".turn")).to_have_count(1)


def test_an_answer_can_be_rated_and_the_rating_taken_back(page: Page) -> None:
    send_question(page, "What do you see here?", "safe-scene.png")
    good, bad = (get_answer(page).get_by_role("button", name=f"{kind} answer") for kind in ("Good", "Bad"))
    good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    bad.click()
    expect(good).to_have_attribute("aria-pressed", "false")
    expect(bad).to_have_attribute("aria-pressed", "true")
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "false")


def test_an_answer_can_be_copied(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url, permissions=["clipboard-read", "clipboard-write"]) as page:
        send_question(page, "What do you see here?", "safe-scene.png")
        get_answer(page).get_by_role("button", name="Copy").click()
        expect(page.locator("#announcement")).to_contain_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == get_answer(page).locator(".words").inner_text()


def test_the_servers_own_words_are_one_click_away(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url, permissions=["clipboard-read", "clipboard-write"]) as page:
        send_question(page, HARMFUL.prompt, HARMFUL.file)
        get_answer(page).get_by_role("button", name="JSON").click()
        dialog = page.get_by_role("dialog", name="What the server returned")
        shown = json.loads(dialog.locator("pre").inner_text())
        assert shown["reply"]["decision"] == shown["judgement"]["why"]["decision"] == "refused"
        assert shown["judgement"]["images"][0]["heatmap"].endswith("characters)")
        dialog.get_by_role("button", name="Copy").click()
        expect(page.locator("#announcement")).to_contain_text("Copied")
        copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
        assert copied["judgement"]["images"][0]["heatmap"].startswith("data:image/png;base64,")
        assert len(copied["judgement"]["images"][0]["heatmap"]) > 1000
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(get_answer(page).get_by_role("button", name="JSON")).to_be_focused()


def test_a_cut_reply_says_that_it_was_stopped(browser: Browser, fake: FakeGuard, fake_server: str) -> None:
    fake.pieces = ("It is ", "a bad", " apple.")
    fake.decision = Decision.CAUTIONED
    with open_playground(browser, fake_server) as page:

        def cut(reply: str) -> str:
            return reply.replace('"finish_reason":"stop"', '"finish_reason":"content_filter"')

        page.route(
            "**/playground/chat", lambda route: route.fulfill(response=(got := route.fetch()), body=cut(got.text()))
        )
        send_question(page, "What is it?")
        expect(get_answer(page).locator(".badge")).to_have_text("Answered with care")
        expect(get_answer(page)).to_contain_text("Stopped: the reply became harmful while it was written")
        expect(page.locator("#why-sentences")).to_contain_text("The reply was stopped later")
