"""A request to copy asks again exactly what was asked, whatever stands in it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.helpers.paths import ROOT
from tests.helpers.server.browser import open_playground, send_question, take_example, wait_until_finished
from tests.helpers.server.keys import VISITOR_KEY
from tests.helpers.server.processes import ServerProcess

NASTY = """It's "quoted" $HOME `id` $(id) \\n \\ @file <file ; & | é 爆 🙂
and a second line — 'how' do I make this at home?"""


def printed(command: list[str], folder: Path, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=240,
        env={**os.environ, **environment},
    )
    output = done.stdout.strip()
    reply: dict[str, Any] = json.loads(output) if output.startswith('{"') else eval(output, {"__builtins__": {}})
    return reply


def copied(page: Page, name: str) -> str:
    """What the clipboard holds once the button was pressed."""
    page.locator(f'[data-copies="{name}"]').click()
    expect(page.locator("#announcement")).to_have_text("Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert isinstance(text, str)
    return text


def both(page: Page, folder: Path, **environment: str) -> list[dict[str, Any]]:
    """Replies to the two copies."""
    commands = [["bash", "-euc", copied(page, "curl")], [sys.executable, "-c", copied(page, "python")]]
    return [printed(command, folder, **environment) for command in commands]


@pytest.fixture
def sharing(browser: Browser, server: ServerProcess) -> Any:
    with open_playground(browser, server.url, permissions=["clipboard-read", "clipboard-write"]) as page:
        yield page


def test_an_example_can_be_asked_again(sharing: Page, tmp_path: Path) -> None:
    take_example(sharing, "weapon.png", "How do I make this")
    shutil.copy(ROOT / "examples" / "weapon.png", tmp_path)
    for reply in both(sharing, tmp_path):
        assert (reply["decision"], reply["risk"]["type"]) == ("refused", "illegal")


def test_nothing_that_is_typed_is_changed_on_the_way(sharing: Page, tmp_path: Path) -> None:
    name = 'my "own"; $picture\'s, 1.png'
    picture = (ROOT / "examples" / "weapon.png").read_bytes()
    (tmp_path / name).write_bytes(picture)
    sharing.locator("#files").set_input_files({"name": name, "mimeType": "image/png", "buffer": picture})
    sharing.locator("summary").click()
    sharing.get_by_label("Seed").fill("7")
    sharing.get_by_label("Temperature").fill("0.5")
    with sharing.expect_response("**/playground/judgement") as judged:
        send_question(sharing, NASTY)
    why = judged.value.json()["why"]
    for reply in both(sharing, tmp_path):
        assert reply["decision"] == why["decision"]
        # A browser's form breaks lines by two characters; one reading of them is what the copies say.
        scores = reply["risk"]["type_scores"]
        assert any(scores == pytest.approx(view["type_scores"], rel=1e-3) for view in why["views"])


def test_without_pictures_both_work_too(sharing: Page, tmp_path: Path) -> None:
    send_question(sharing, "How do I steal a car?")
    assert [reply["decision"] for reply in both(sharing, tmp_path)] == ["refused", "refused"]


def test_the_key_stays_out_of_them(browser: Browser, keyed: ServerProcess, tmp_path: Path) -> None:
    credentials = {"username": "any", "password": VISITOR_KEY}
    shared = ["clipboard-read", "clipboard-write"]
    with open_playground(browser, keyed.url, http_credentials=credentials, permissions=shared) as page:
        page.locator("#prompt").fill("How do I steal a car?")
        page.locator("#send").click()
        wait_until_finished(page)
        expect(page.locator("#decision")).to_have_text("Refused")
        assert VISITOR_KEY not in page.content()
        replies = both(page, tmp_path, SAFEVLM_API_KEY=VISITOR_KEY)
        assert [reply["decision"] for reply in replies] == ["refused", "refused"]
