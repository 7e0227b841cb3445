"""Links that carry a question and its options, and no image."""

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page, expect

from tests.helpers.paths import ROOT
from tests.helpers.server.browser import get_answer, open_playground, send_question
from tests.helpers.server.processes import ServerProcess

QUESTION = "What is 50 % & more #here?\nA second line"


def read_link(page: Page) -> str:
    get_answer(page).get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog", name="Share this question")
    expect(dialog).to_contain_text("It carries no image, no reply and no key.")
    link = dialog.locator("pre").text_content()
    assert link is not None
    return link


def test_a_link_carries_the_question_and_its_options_only(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url) as page:
        page.get_by_role("button", name="Options").click()
        page.get_by_label("Maximum tokens").fill("5")
        page.get_by_label("Language").fill("de")
        send_question(page, QUESTION, "safe-scene.png")
        link = read_link(page)
    parts = urlsplit(link)
    assert link.startswith(f"{server.url}/playground#")
    assert parse_qs(parts.fragment) == {"prompt": [QUESTION], "max_tokens": ["5"], "language": ["de"]}
    with open_playground(browser, server.url, path=f"/playground#{parts.fragment}") as page:
        expect(page.locator("#prompt")).to_have_value(QUESTION)
        expect(page.get_by_label("Maximum tokens")).to_have_value("5")
        expect(page.get_by_label("Language")).to_have_value("de")
        expect(page.get_by_role("status").filter(has_text="Links carry no images.")).to_be_visible()
        expect(page.locator(".turn")).to_have_count(0)
        assert page.url == f"{server.url}/playground"
        page.locator("#send").click()
        expect(get_answer(page).locator(".badge")).not_to_have_text("Judging …")
        expect(page.locator("#shared")).to_be_hidden()


def test_neither_links_nor_snippets_carry_a_key_of_the_address(page: Page, server: ServerProcess) -> None:
    """Browsers keep the user name and the password of an address, which may be an API key."""
    address = "http://any:secret@guard.example/playground?a#b"
    stripped = page.evaluate(
        "async ([file, address]) => (await import(file)).stripCredentials(new URL(address)).href",
        [f"{server.url}/playground/api.js", address],
    )
    assert stripped == address.replace("any:secret@", "")
    for file in ("api.js", "sharing.js"):
        text = (ROOT / "service" / "playground" / file).read_text(encoding="utf-8")
        for use in ("new URL(location.href)", 'new URL("..", import.meta.url)'):
            assert text.count(use) == text.count(f"stripCredentials({use})")


def test_a_link_cannot_bring_what_no_field_accepts(browser: Browser, server: ServerProcess) -> None:
    fragment = "prompt=a&max_tokens=many&temperature=9&policy=secret&seed=1&unknown=2"
    with open_playground(browser, server.url, path=f"/playground#{fragment}") as page:
        expect(page.locator("#prompt")).to_have_value("a")
        for label, value in (("Maximum tokens", ""), ("Temperature", ""), ("Seed", "1")):
            expect(page.get_by_label(label)).to_have_value(value)
        expect(page.locator("select[name=policy]")).to_have_value("")


def test_a_link_that_is_opened_in_the_same_tab_starts_a_new_conversation(page: Page) -> None:
    send_question(page, "What do you see here?")
    page.evaluate("location.hash = 'prompt=Another%20question'")
    expect(page.locator("#prompt")).to_have_value("Another question")
    expect(page.locator(".turn")).to_have_count(0)
