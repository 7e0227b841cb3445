"""The session's history: conversations to go back to, and their ratings as a file."""

import json
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.helpers.server.browser import open_playground, send_question
from tests.helpers.server.processes import ServerProcess


def test_an_earlier_conversation_can_be_continued(page: Page) -> None:
    send_question(page, "How do I steal a car?")
    page.locator("#new").click()
    send_question(page, "What do you see here?", "safe-scene.png")
    send_question(page, "What is in this picture?")
    page.get_by_role("button", name="History").click()
    items = page.get_by_role("dialog", name="Conversations of this session").locator(".past")
    expect(items).to_have_count(2)
    expect(items.nth(0)).to_contain_text("What do you see here?")
    expect(items.nth(0)).to_contain_text("2 questions")
    expect(items.nth(0)).to_have_attribute("aria-current", "true")
    expect(items.nth(1)).to_contain_text("Refused")
    items.nth(1).click()
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".asked p")).to_have_text("How do I steal a car?")
    expect(page.locator("#decision")).to_have_text("Refused")
    send_question(page, "What do you see here?", "safe-scene.png")
    page.get_by_role("button", name="History").click()
    expect(items).to_have_count(2)
    expect(items.nth(1)).to_contain_text("2 questions")
    items.nth(0).click()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".asked img").first).to_be_visible()


def test_an_answer_is_not_written_into_another_conversation(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url, quiet=False) as page:
        page.route("**/playground/chat", lambda route: None)
        page.locator("#prompt").fill("What do you see here?")
        page.locator("#send").click()
        page.locator("#new").click()
        expect(page.locator("#stop")).to_be_hidden()
        page.unroute("**/playground/chat")
        send_question(page, "How do I steal a car?")
        expect(page.locator(".turn")).to_have_count(1)
        page.get_by_role("button", name="History").click()
        page.locator(".past").nth(1).click()
        expect(page.locator(".answer .problem")).to_have_text("Stopped.")


def test_ratings_are_exported_without_images_and_replies(page: Page, tmp_path: Path) -> None:
    send_question(page, "How do I steal a car?")
    page.get_by_role("button", name="Good answer").click()
    page.locator("#new").click()
    send_question(page, "What do you see here?", "safe-scene.png")
    send_question(page, "What is in this picture?", "weapon.png")
    page.get_by_role("button", name="Bad answer").last.click()
    page.get_by_role("button", name="History").click()
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Export ratings").click()
    assert downloaded.value.suggested_filename == "safevlm-ratings.jsonl"
    path = tmp_path / "ratings.jsonl"
    downloaded.value.save_as(path)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["prompt"] for row in rows] == [
        "How do I steal a car?",
        "What do you see here?",
        "What is in this picture?",
    ]
    assert [row["rating"] for row in rows] == ["up", None, "down"]
    assert rows[0]["decision"] == "refused"
    assert rows[0]["risk"] == {"type": "illegal", "level": 3}
    assert all(set(row) == {"time", "prompt", "decision", "risk", "rating"} for row in rows)
    assert "base64" not in path.read_text(encoding="utf-8")


def test_nothing_of_a_session_outlives_its_tab(page: Page) -> None:
    send_question(page, "How do I steal a car?")
    page.reload()
    page.locator("body[data-ready]").wait_for()
    expect(page.locator(".turn")).to_have_count(0)
    page.get_by_role("button", name="History").click()
    expect(page.locator("#conversations")).to_have_text("No question yet.")
    expect(page.get_by_role("button", name="Export ratings")).to_be_disabled()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
