"""The comparison with the bare model: only where the operator allows it, and marked as unguarded."""

from typing import Any

import httpx
from playwright.sync_api import Browser, Page, Route, expect

from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.server.browser import (
    NARROW,
    find_barriers,
    format_events,
    get_answer,
    measure_overflow,
    open_playground,
    send_question,
)
from tests.helpers.server.processes import ServerProcess
from tests.helpers.server.threads import run_nano_server

HARMFUL = EXAMPLES[1]
REPLY = {"content": "Take some powder.", "usage": {"prompt_tokens": 9, "completion_tokens": 4}, "finish_reason": "stop"}


def answer_unguarded(page: Page, *events: tuple[str, dict[str, Any]]) -> list[str]:
    """Answer requests for unguarded replies with these events; returns the bodies of the requests, as they arrive."""
    bodies: list[str] = []

    def answer(route: Route) -> None:
        bodies.append((route.request.post_data_buffer or b"").decode("latin-1"))
        route.fulfill(content_type="text/event-stream", body=format_events(*events))

    page.route("**/playground/unguarded", answer)
    return bodies


def get_unguarded(page: Page) -> Any:
    return page.locator(".turn").last.get_by_role("article", name="Without guard")


def test_both_answers_stand_side_by_side(browser: Browser) -> None:
    with (
        run_nano_server(playground_compare=True) as url,
        open_playground(browser, url) as page,
    ):
        page.get_by_label("Compare without guard").check()
        send_question(page, HARMFUL.prompt, HARMFUL.file)
        unguarded, guarded = get_unguarded(page), page.get_by_role("article", name="With guard", exact=True)
        expect(guarded.locator(".badge")).to_have_text("Refused")
        expect(unguarded.locator(".words")).not_to_be_empty()
        expect(unguarded.locator(".badge")).to_have_count(0)
        expect(unguarded).to_contain_text("Unguarded: nothing was judged and nothing is held back.")
        left, right = unguarded.bounding_box(), guarded.bounding_box()
        assert left is not None
        assert right is not None
        assert left["x"] + left["width"] <= right["x"]
        assert left["y"] == right["y"]
        assert find_barriers(page) == []


def test_a_server_without_the_setting_offers_no_comparison(page: Page, server: ServerProcess) -> None:
    expect(page.get_by_label("Compare without guard")).to_be_hidden()
    form = {"conversation": (None, '{"messages": [{"role": "user", "content": "a"}]}')}
    assert httpx.post(f"{server.url}/playground/unguarded", files=form).status_code == 404


def test_a_question_without_comparison_asks_the_guard_only(browser: Browser, fake_server: str) -> None:
    with open_playground(browser, fake_server, about={"compares": True}) as page:
        bodies = answer_unguarded(page, ("done", REPLY))
        send_question(page, "What is it?")
        expect(page.get_by_role("article", name="Answer")).to_be_visible()
        assert bodies == []


def test_the_bare_model_continues_its_own_conversation(browser: Browser, fake_server: str) -> None:
    with open_playground(browser, fake_server, about={"compares": True}) as page:
        bodies = answer_unguarded(page, ("delta", {"content": "Take some "}), ("done", REPLY))
        page.get_by_label("Compare without guard").check()
        send_question(page, "What is it?")
        expect(get_unguarded(page).locator(".words")).to_have_text("Take some powder.")
        expect(get_unguarded(page)).to_contain_text("4 tokens")
        expect(get_answer(page).locator(".words")).to_have_text("It is a red apple.")
        send_question(page, "And then?")
        assert "Take some powder." in bodies[1]
        assert "It is a red apple." not in bodies[1]


def test_the_guarded_answer_does_not_depend_on_the_other(browser: Browser, fake_server: str) -> None:
    error = {"error": {"message": "The server is busy.", "code": "overloaded"}}
    with open_playground(browser, fake_server, about={"compares": True}) as page:
        answer_unguarded(page, ("delta", {"content": "Take"}), ("error", error))
        page.get_by_label("Compare without guard").check()
        send_question(page, "What is it?")
        expect(get_unguarded(page).locator(".problem")).to_have_text("The server is busy.")
        expect(get_answer(page).locator(".words")).to_have_text("It is a red apple.")
        expect(page.locator("#why")).to_be_visible()


def test_on_a_phone_one_answer_stands_under_the_other(browser: Browser, fake_server: str) -> None:
    with open_playground(browser, fake_server, about={"compares": True}, viewport=NARROW) as page:
        answer_unguarded(page, ("done", REPLY))
        page.get_by_label("Compare without guard").check()
        send_question(page, "What is it?")
        above, below = get_unguarded(page).bounding_box(), get_answer(page).bounding_box()
        assert below is not None
        assert above["y"] + above["height"] <= below["y"]
        assert measure_overflow(page) == 0
