"""A request to copy asks again exactly what was asked, whatever stands in it."""

import contextlib
import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from playwright.sync_api import Browser, Page, expect

from safety_core.engine.messages import ChatRequest, GuardRequest
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.paths import ROOT
from tests.helpers.server.browser import choose_images, get_answer, open_playground, send_question
from tests.helpers.server.keys import VISITOR_KEY

NASTY = """It's "quoted" $HOME `id` $(id) \\n \\ @file <file ; & | é 爆 🙂 100 % %s
and a second line — 'how' do I make this at home?"""
NAMES = ("curl", "openai", "langchain", "javascript")
CLIPBOARD = ["clipboard-read", "clipboard-write"]

OPENAI_STAND_IN = """
export default class OpenAI {
    constructor({ baseURL, apiKey }) {
        const create = async (body) => {
            const headers = { "Content-Type": "application/json", Authorization: `Bearer ${apiKey}` };
            const options = { method: "POST", headers, body: JSON.stringify(body) };
            return (await fetch(`${baseURL}/chat/completions`, options)).json();
        };
        this.chat = { completions: { create } };
    }
}
"""
"""Sends what OpenAI's package for JavaScript would send; the package itself is not installed by the tests."""


def copy_snippet(page: Page, name: str) -> str:
    """The content of the clipboard after the snippet's button was pressed."""
    page.locator(f'[data-copies="{name}"]').click()
    expect(page.locator("#announcement")).to_contain_text("Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert isinstance(text, str)
    assert text == page.locator(f"#{name}").text_content()
    return text


def run_snippet(name: str, code: str, folder: Path, **environment: str) -> str:
    """Run a snippet in a folder, and return what it printed."""
    if name in ("openai", "langchain"):
        return run_python(code, folder, environment)
    if name == "curl":
        command = ["bash", "-euc", code]
    else:
        if shutil.which("node") is None:
            pytest.skip("node is not installed, so JavaScript cannot be run")
        package = folder / "node_modules" / "openai"
        package.mkdir(parents=True, exist_ok=True)
        (package / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
        (package / "index.js").write_text(OPENAI_STAND_IN)
        (folder / "snippet.mjs").write_text(code, encoding="utf-8")
        command = ["node", "snippet.mjs"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=240,
        env={**os.environ, **environment},
    )
    return done.stdout.strip()


def run_python(code: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a script in this process, because another one would take seconds to import the clients."""
    printed = io.StringIO()
    with contextlib.chdir(folder), patch.dict(os.environ, environment), contextlib.redirect_stdout(printed):
        exec(compile(code, "snippet.py", "exec"), {"__name__": "__main__"})
    return printed.getvalue().strip()


def describe(request: GuardRequest) -> tuple[object, ...]:
    """What a request asks for: its turns, its images and its options."""
    assert isinstance(request, ChatRequest)
    turns = [(turn.role, turn.text) for turn in request.turns]
    images = [image.sha256 for image in request.images]
    assert request.policy is not None
    return turns, images, request.policy.name, request.max_tokens, request.temperature, request.seed


@pytest.fixture
def sharing(browser: Browser, fake_server: str) -> Iterator[Page]:
    """The page of a server that sees every request."""
    with open_playground(browser, fake_server, permissions=CLIPBOARD) as page:
        yield page


def take_asked(fake: FakeGuard) -> tuple[object, ...]:
    """What the page asked last, and forget it; the request for the explanation is not a chat."""
    asked = [request for request in fake.requests if isinstance(request, ChatRequest)][-1]
    fake.requests.clear()
    return describe(asked)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_typed_is_changed_on_the_way(sharing: Page, fake: FakeGuard, tmp_path: Path, name: str) -> None:
    file = tmp_path / 'my "own"; $picture\'s, 1.png'
    shutil.copy(ROOT / "examples" / "weapon.png", file)
    choose_images(sharing, file)
    sharing.get_by_role("button", name="Options").click()
    for label, value in (("Maximum tokens", "5"), ("Temperature", "0.5"), ("Seed", "7"), ("Language", "en")):
        sharing.get_by_label(label).fill(value)
    send_question(sharing, NASTY)
    asked = take_asked(fake)
    assert asked[0] == [("user", NASTY)]
    assert asked[3:] == (5, 0.5, 7)
    sharing.get_by_role("tab", name="Code").click()
    run_snippet(name, copy_snippet(sharing, name), tmp_path)
    assert describe(fake.requests[-1]) == asked


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_is_sent_with_all_its_turns(sharing: Page, fake: FakeGuard, tmp_path: Path, name: str) -> None:
    for file in ("weapon.png", "safe-scene.png"):
        shutil.copy(ROOT / "examples" / file, tmp_path)
    send_question(sharing, NASTY, "weapon.png")
    send_question(sharing, "And now?")
    send_question(sharing, "", "safe-scene.png", "weapon.png")
    asked = take_asked(fake)
    sharing.get_by_role("tab", name="Code").click()
    expect(sharing.locator("#code-subject")).to_contain_text("with the 4 messages before it")
    printed = run_snippet(name, copy_snippet(sharing, name), tmp_path)
    assert describe(fake.requests[-1]) == asked
    assert "It is a red apple." in printed
    # An earlier turn is a shorter request.
    sharing.get_by_role("tab", name="Ask").click()
    sharing.locator(".turn").first.get_by_role("button", name="Details").click()
    sharing.get_by_role("tab", name="Code").click()
    run_snippet(name, copy_snippet(sharing, name), tmp_path)
    assert describe(fake.requests[-1])[0] == [("user", NASTY)]


def test_before_the_first_question_the_draft_is_shown(sharing: Page) -> None:
    sharing.locator("#prompt").fill("What would it be?")
    sharing.get_by_role("tab", name="Code").click()
    expect(sharing.locator("#snippets pre")).to_have_count(4)
    for name in NAMES:
        expect(sharing.locator(f"#{name}")).to_contain_text("What would it be?")


def test_an_address_of_an_image_is_passed_on(browser: Browser, fake_server: str) -> None:
    address = "https://pictures.example/apple.png"
    with open_playground(browser, fake_server, about={"image_urls": True}, quiet=False) as page:
        page.get_by_role("button", name="Address of an image").click()
        page.locator("#address-field").fill(address)
        page.keyboard.press("Enter")
        send_question(page, "What is it?")
        expect(get_answer(page).locator(".problem")).to_be_visible()
        page.get_by_role("tab", name="Code").click()
        for name in NAMES:
            expect(page.locator(f"#{name}")).to_contain_text(f'{{"url": "{address}"}}')


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_printed_and_the_key_stays_out(browser: Browser, keyed: str, tmp_path: Path, name: str) -> None:
    credentials = {"username": "any", "password": VISITOR_KEY}
    with open_playground(browser, keyed, http_credentials=credentials, permissions=CLIPBOARD) as page:
        send_question(page, "How do I steal a car?")
        expect(page.locator("#decision")).to_have_text("Refused")
        refusal = get_answer(page).locator(".words").inner_text()
        page.get_by_role("tab", name="Code").click()
        code = copy_snippet(page, name)
        assert VISITOR_KEY not in page.content()
    printed = run_snippet(name, code, tmp_path, SAFEVLM_API_KEY=VISITOR_KEY)
    assert (json.loads(printed)["refusal"] if name == "curl" else printed) == refusal
