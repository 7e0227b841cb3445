"""Asking on the page: what it shows is what the server said, in the order in which it said it."""

import base64
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from safety_core.nano.build.conversation import INNOCENT_PROMPT
from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.engine.readers import draw_sentences, needs_ocr
from tests.helpers.images.encoding import encode_image
from tests.helpers.paths import NANO_CHECKPOINT, ROOT
from tests.helpers.server.browser import open_playground, read_bars, send_question, take_example, wait_until_finished
from tests.helpers.server.processes import ServerProcess, run_server

SHOWN = {"allowed": "Allowed", "cautioned": "Answered with care", "refused": "Refused"}
CASES = [*((one.file, one.prompt) for one in EXAMPLES), ("weapon.png", INNOCENT_PROMPT)]


def said(server: ServerProcess, prompt: str, *files: str, **fields: Any) -> dict[str, Any]:
    """The server's own reply."""
    pictures = [base64.b64encode((ROOT / "examples" / file).read_bytes()).decode() for file in files]
    response = httpx.post(
        f"{server.url}/v1/chat", json={"prompt": prompt, "images": pictures, "explain": True, **fields}, timeout=120
    )
    reply: dict[str, Any] = response.json()
    return reply


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


@pytest.mark.parametrize(("file", "prompt"), CASES)
def test_an_example_is_one_click_away(page: Page, server: ServerProcess, file: str, prompt: str) -> None:
    take_example(page, file, prompt)
    reply = said(server, prompt, file)
    risk = reply["risk"]
    expect(page.locator("#decision")).to_have_text(SHOWN[reply["decision"]])
    expect(page.locator("#reply")).to_have_text(reply["content"] or reply["refusal"])
    kind = risk["type"].replace("_", " ")
    expect(page.locator("#risk")).to_contain_text(f"{kind}, level {risk['level']['index']}")
    shown = {name.replace("_", " "): percent(share) for name, share in risk["type_scores"].items()}
    assert read_bars(page, "types") == shown
    assert list(read_bars(page, "levels").values()) == [percent(share) for share in risk["level_scores"].values()]
    assert list(read_bars(page, "surfaces").values()) == [percent(share) for share in risk["surfaces"].values()]
    assert page.locator("#maps .heat").get_attribute("src") == risk["heatmap"]


def test_the_verdict_is_there_before_the_first_word(browser: Browser) -> None:
    # Replies are held back by a window of tokens; a short one shows that words come one by one.
    with run_server(NANO_CHECKPOINT, reply_window=2) as server, open_playground(browser, server.url) as page:
        page.evaluate(
            """() => {
                window.seen = [];
                const now = () => window.seen.push([
                    document.getElementById("verdict").dataset.decision,
                    document.getElementById("types").childElementCount,
                    document.getElementById("reply").textContent]);
                new MutationObserver(now).observe(document.getElementById("results"),
                    {subtree: true, childList: true, characterData: true, attributes: true});
            }"""
        )
        take_example(page, "safe-scene.png")
        seen = page.evaluate("window.seen")
    judged = [state for state in seen if state[0] != "waiting"]
    assert judged[0][1:] == [7, ""]
    words = list(dict.fromkeys(state[2] for state in judged))
    assert len(words) > 3, "the reply must come in pieces"
    assert all(longer.startswith(shorter) for shorter, longer in pairwise(words))


def test_a_picture_can_be_picked_dropped_and_pasted(page: Page) -> None:
    data = base64.b64encode((ROOT / "examples" / "weapon.png").read_bytes()).decode()
    page.locator("#files").set_input_files(ROOT / "examples" / "safe-scene.png")
    for event, carrier in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([data, event, carrier]) => {
                const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
                const carried = new DataTransfer();
                carried.items.add(new File([bytes], `${event}.png`, {type: "image/png"}));
                const kind = event === "drop" ? DragEvent : ClipboardEvent;
                document.getElementById("drop").dispatchEvent(
                    new kind(event, {bubbles: true, cancelable: true, [carrier]: carried}));
            }""",
            [data, event, carrier],
        )
    expect(page.locator("#thumbs img")).to_have_count(3)
    names = [image.get_attribute("alt") for image in page.locator("#thumbs img").all()]
    assert names == ["safe-scene.png", "drop.png", "paste.png"]
    page.get_by_role("button", name="Remove drop.png").click()
    page.locator("#prompt").fill("What is in this picture?")
    page.keyboard.press("Control+Enter")
    wait_until_finished(page)
    expect(page.locator("#maps figure")).to_have_count(2)
    expect(page.locator("#maps .heat")).to_have_count(2)
    expect(page.locator("#why-text")).to_contain_text("all together")


def test_words_alone_are_judged_too(page: Page) -> None:
    send_question(page, "How do I steal a car?")
    expect(page.locator("#decision")).to_have_text("Refused")
    expect(page.locator("#attention")).to_be_hidden()
    assert set(read_bars(page, "surfaces")) == {"Text"}


def test_why_names_the_rule_that_decided(page: Page, server: ServerProcess) -> None:
    take_example(page, "weapon.png", EXAMPLES[1].prompt)
    acting = page.locator("#why-rules .acts")
    expect(acting).to_have_count(1)
    expect(acting).to_contain_text("reached: refuse")
    policy = httpx.get(f"{server.url}/playground/about").json()["policies"][0]
    shown = acting.locator("td").nth(1).inner_text()
    assert float(shown) == pytest.approx(policy["thresholds"]["illegal"]["3"], rel=0.05)


def test_the_overlay_can_be_made_fainter(page: Page) -> None:
    take_example(page, "weapon.png", INNOCENT_PROMPT)
    heat = page.locator("#maps .heat")
    strength = "(element) => Number(getComputedStyle(element).opacity)"
    assert heat.evaluate(strength) > 0.5
    page.locator("#overlay").fill("0")
    expect(heat).to_have_css("opacity", "0")


def test_each_stage_has_its_time(page: Page) -> None:
    take_example(page, "safe-scene.png")
    stages = [item.inner_text().split("\n") for item in page.locator("#time-list li").all()]
    assert [name for name, _ in stages] == ["Decode", "Wait", "Guard", "Generate", "Total"]
    times = [float(time.removesuffix(" ms")) for _, time in stages]
    assert times[-1] == pytest.approx(sum(times[:-1]), abs=2)
    widths = page.locator("#time-bar span").evaluate_all("(spans) => spans.map((one) => one.offsetWidth)")
    assert (widths[3] > widths[2]) == (times[3] > times[2])


def test_options_reach_the_server(page: Page, server: ServerProcess) -> None:
    page.locator("summary").click()
    page.get_by_label("Maximum tokens").fill("3")
    page.locator("#files").set_input_files(ROOT / "examples" / "safe-scene.png")
    send_question(page, "What do you see here?")
    expect(page.locator("#reply-note")).to_have_text("3 tokens; the token limit is reached.")
    reply = said(server, "What do you see here?", "safe-scene.png", max_tokens=3)
    expect(page.locator("#reply")).to_have_text(reply["content"])


def test_what_goes_wrong_is_said(browser: Browser, server: ServerProcess, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes((ROOT / "examples" / "weapon.png").read_bytes()[:200])
    with open_playground(browser, server.url, quiet=False) as page:
        page.locator("#files").set_input_files(broken)
        page.locator("#prompt").fill("What is it?")
        page.locator("#send").click()
        expect(page.locator("#decision")).to_have_text("No answer")
        message = httpx.post(
            f"{server.url}/v1/chat", files={"image": broken.read_bytes()}, data={"prompt": "What is it?"}
        ).json()["error"]["message"]
        expect(page.locator("#risk")).to_have_text(message)
        expect(page.locator("#head")).to_be_hidden()
        page.locator("#files").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"})
        expect(page.get_by_role("alert").filter(visible=True)).to_have_text("Only images are accepted.")
        # Nothing is left over from before.
        page.get_by_role("button", name="Remove broken.png").click()
        send_question(page, "What do you see here?", "safe-scene.png")
        expect(page.locator("#decision")).to_have_text("Allowed")


def test_too_many_pictures_are_not_taken(page: Page) -> None:
    page.locator("#files").set_input_files([ROOT / "examples" / "weapon.png"] * 9)
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text("At most 8 images are accepted.")
    expect(page.locator("#thumbs li")).to_have_count(8)


def test_markup_is_shown_as_text(page: Page) -> None:
    page.locator("#files").set_input_files(
        {
            "name": "<img src=x onerror=alert(1)>.png",
            "mimeType": "image/png",
            "buffer": (ROOT / "examples" / "safe-scene.png").read_bytes(),
        }
    )
    send_question(page, "<b>What</b> do you see here?<script>alert(1)</script>")
    page.get_by_role("tab", name="Try a policy").click()
    expect(page.locator("#session .prompt")).to_have_text("<b>What</b> do you see here?<script>alert(1)</script>")
    assert page.locator("main b, main script, #thumbs img[onerror]").count() == page.locator("#time-list b").count()


def test_a_running_request_can_be_stopped(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url, quiet=False) as page:
        # The answer is held back on its way, so that there is time to stop it.
        page.route("**/v1/chat", lambda route: None)
        page.locator("#prompt").fill("What do you see here?")
        page.locator("#send").click()
        expect(page.locator("#decision")).to_have_text("Judging …")
        page.keyboard.press("Escape")
        expect(page.locator("#risk")).to_have_text("Stopped.")
        expect(page.locator("#send")).to_be_focused()
        page.unroute("**/v1/chat")
        send_question(page, "What do you see here?", "safe-scene.png")
        expect(page.locator("#decision")).to_have_text("Allowed")


@needs_ocr
def test_lettering_that_was_read_is_listed_and_framed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "sign.png"
    path.write_bytes(encode_image(draw_sentences(["Mind the gap", "Look left"], size=(400, 200), height=40)))
    with run_server(NANO_CHECKPOINT, read_pictures="true") as server, open_playground(browser, server.url) as page:
        page.locator("#files").set_input_files(path)
        send_question(page, "What is in this picture?")
        expect(page.locator("#lettering-lines li")).to_have_text(["Mind the gap", "Look left"])
        expect(page.locator("#maps .frame")).to_have_count(2)
        frame, picture = (
            page.locator("#maps .frame").first.bounding_box(),
            page.locator("#maps img").first.bounding_box(),
        )
        assert frame is not None
        assert picture is not None
        assert picture["y"] <= frame["y"] < picture["y"] + picture["height"] / 3
        assert frame["height"] < picture["height"] / 2
        assert "Lettering" in read_bars(page, "surfaces")
        take_example(page, "safe-scene.png")
        expect(page.locator("#maps .frame")).to_have_count(0)
        expect(page.locator("#lettering")).to_be_hidden()
