"""The details of a verdict: numbers as the server said them, and sentences that agree with the decision."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from safety_core.nano.build.conversation import INNOCENT_PROMPT
from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.engine.readers import draw_sentences, needs_ocr
from tests.helpers.images.encoding import encode_image
from tests.helpers.server.browser import change_judgement, get_answer, open_playground, read_bars, send_question
from tests.helpers.server.processes import ServerProcess
from tests.helpers.server.threads import run_nano_server

HARMFUL = EXAMPLES[1]


def test_why_names_the_rule_that_decided(page: Page, server: ServerProcess) -> None:
    send_question(page, HARMFUL.prompt, HARMFUL.file)
    sentence = page.locator("#why-sentences p").first
    expect(sentence).to_contain_text("Refused, because high risk of illegal acts has a probability of")
    page.get_by_text("The rules of the policy").click()
    acting = page.locator("#why-rules .acts")
    expect(acting).to_have_count(1)
    expect(acting).to_contain_text("Refuse (decides)")
    policy = httpx.get(f"{server.url}/playground/about").json()["policies"][0]
    shown = acting.locator("td").nth(1).inner_text()
    assert float(shown) == pytest.approx(policy["thresholds"]["illegal"]["3"], rel=0.05)


@pytest.mark.parametrize(
    ("file", "prompt", "start"),
    [
        ("safe-scene.png", "What do you see here?", "Allowed, because no threshold was reached."),
        ("weapon.png", INNOCENT_PROMPT, "Answered with care, because "),
        (HARMFUL.file, HARMFUL.prompt, "Refused, because "),
    ],
)
def test_why_begins_with_the_words_of_the_badge(page: Page, file: str, prompt: str, start: str) -> None:
    send_question(page, prompt, file)
    sentence = page.locator("#why-sentences p").first.inner_text()
    assert sentence.startswith(start)
    assert sentence.startswith(get_answer(page).locator(".badge").inner_text())


def test_why_agrees_with_a_decision_in_shadow_mode(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("mode: shadow\n")
    with run_nano_server(policy=file) as url, open_playground(browser, url) as page:
        send_question(page, HARMFUL.prompt, HARMFUL.file)
        expect(page.locator("#decision")).to_have_text("Allowed")
        sentences = page.locator("#why-sentences p")
        expect(sentences.nth(0)).to_contain_text("Allowed, because the policy default is in shadow mode")
        expect(sentences.nth(1)).to_contain_text("it would have decided: Refused, because high risk of illegal acts")
        page.get_by_text("The rules of the policy").click()
        expect(page.locator("#why-rules .acts")).to_contain_text("Refuse (would decide)")


def test_types_without_probability_are_folded(page: Page) -> None:
    send_question(page, HARMFUL.prompt, HARMFUL.file)
    bars = page.locator("#types .bars li")
    zero = [share for share in read_bars(page, "types").values() if share == "0.0 %"]
    assert len(zero) > 1
    fold = page.locator("#types summary")
    expect(fold).to_have_text(f"{len(zero)} types at 0 %")
    expect(bars.filter(visible=True)).to_have_count(7 - len(zero))
    expect(bars.filter(visible=True).filter(has_text="Illegal acts")).to_have_attribute("data-grade", "high")
    fold.click()
    expect(bars.filter(visible=True)).to_have_count(7)


def test_risky_images_have_a_map_whose_opacity_can_be_changed(page: Page) -> None:
    send_question(page, INNOCENT_PROMPT, "weapon.png")
    heat = page.locator("#maps .heat")
    expect(heat).to_be_visible()
    expect(page.locator("#maps figcaption")).to_contain_text("Illegal acts")
    expect(page.locator(".map-legend")).to_be_visible()
    pixels = heat.evaluate(
        """(canvas) => {
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            const colours = new Set();
            for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 100) colours.add(data[at + 1] >> 5);
            return colours.size;
        }"""
    )
    assert pixels > 2, "the map must be coloured by a ramp, not by one colour"
    assert float(heat.evaluate("(element) => getComputedStyle(element).opacity")) > 0.5
    page.get_by_label("Opacity").fill("0")
    expect(heat).to_have_css("opacity", "0")


def test_images_without_risk_have_a_sentence_and_no_map(page: Page) -> None:
    send_question(page, "What do you see here?", "safe-scene.png")
    expect(page.locator("#maps figcaption")).to_contain_text("nothing risky was found, so no map is drawn")
    expect(page.locator("#maps .heat")).to_have_count(0)
    expect(page.locator("#map-controls")).to_be_hidden()


def test_each_image_has_its_own_map(page: Page) -> None:
    send_question(page, INNOCENT_PROMPT, "safe-scene.png", "weapon.png")
    figures = page.locator("#maps figure")
    expect(figures).to_have_count(2)
    expect(figures.nth(1).locator(".heat")).to_be_visible()
    expect(figures.nth(1)).to_contain_text("Image 2: Illegal acts")


def test_each_stage_has_its_time(page: Page) -> None:
    send_question(page, "What do you see here?", "safe-scene.png")
    stages = [item.inner_text().split("\n") for item in page.locator("#time-list li").all()]
    assert [name for name, _ in stages] == ["Decode", "Wait", "Guard", "Generate", "Total"]
    times = [float(time.removesuffix(" ms")) for _, time in stages]
    assert times[-1] == pytest.approx(sum(times[:-1]), abs=2)
    widths = page.locator("#time-bar span").evaluate_all("(spans) => spans.map((one) => one.offsetWidth)")
    assert (widths[3] > widths[2]) == (times[3] > times[2])


def test_novelty_is_shown_where_it_is_measured(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url) as page:
        send_question(page, "What do you see here?")
        expect(page.locator("#novelty")).to_be_hidden()

    def add_novelty(judged: dict[str, Any]) -> None:
        judged["risk"]["novelty"] = {"score": 0.998, "text": 0.998, "image": None}
        rule = {"threshold": 0.99, "reached": True, "action": "caution"}
        judged["why"] |= {"novelty": judged["risk"]["novelty"] | rule, "reason": "novel", "decision": "cautioned"}
        judged["decision"] = judged["why"]["policy"]["decision"] = "cautioned"
        judged["why"]["rules"][0] |= {"reached": True, "action": "allow"}

    # A server that only judges has one answer, which can be changed as a whole.
    with open_playground(browser, server.url, about={"can_chat": False}) as page:
        change_judgement(page, add_novelty)
        send_question(page, "What do you see here?")
        expect(page.locator("#novelty")).to_contain_text("Unlike what the model was trained on")
        assert read_bars(page, "novelties") == {"Words": "99.8 %"}
        expect(page.locator("#why-sentences p").first).to_contain_text(
            "Answered with care, because the request is unlike what the model was trained on: 99.80 % reaches"
        )
        expect(page.locator("#why-sentences")).not_to_contain_text("Decided by")
        page.get_by_text("The rules of the policy").click()
        expect(page.locator("#why-rules")).to_contain_text("reached")
        expect(page.locator("#why-rules .acts")).to_have_count(0)


def test_a_refusal_without_a_verdict_says_so(browser: Browser, fake: FakeGuard, fake_server: str) -> None:
    with open_playground(browser, fake_server, quiet=False) as page:
        fake.decision = None
        send_question(page, "What is it?")
        expect(page.locator("#decision")).to_have_text("Refused")
        expect(page.locator("#explanation-problem")).to_have_text(
            "The guard reached no verdict, and what cannot be judged is not answered. The request could not be judged."
        )
        for part in ("#why", "#scores", "#attention"):
            expect(page.locator(part)).to_be_hidden()


def test_the_details_are_those_of_the_chosen_turn(page: Page) -> None:
    send_question(page, HARMFUL.prompt, HARMFUL.file)
    send_question(page, "What do you see here?")
    expect(page.locator("#question")).to_have_text("What do you see here?")
    first = page.locator(".turn").first
    first.get_by_role("button", name="Details").click()
    expect(page.locator("#question")).to_have_text(HARMFUL.prompt)
    expect(page.locator("#decision")).to_have_text("Refused")
    expect(first.get_by_role("button", name="Details")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#details-title")).to_be_focused()


def test_an_opened_list_stays_open_while_words_arrive(page: Page) -> None:
    """What a visitor opened is not drawn again for every word."""
    send_question(page, HARMFUL.prompt, HARMFUL.file)
    page.locator("#types summary").click()
    page.get_by_role("button", name="Good answer").click()
    expect(page.locator("#types details")).to_have_attribute("open", "")


@needs_ocr
def test_lettering_that_was_read_is_listed_and_framed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "sign.png"
    path.write_bytes(encode_image(draw_sentences(["Mind the gap", "Look left"], size=(400, 200), height=40)))
    with run_nano_server(read_pictures="true") as url, open_playground(browser, url) as page:
        send_question(page, "What is in this picture?", path)
        expect(page.locator("#lettering-lines li")).to_have_text(["Mind the gap", "Look left"])
        expect(page.locator("#maps .frame")).to_have_count(2)
        frame = page.locator("#maps .frame").first.bounding_box()
        picture = page.locator("#maps img").first.bounding_box()
        assert frame is not None
        assert picture is not None
        assert picture["y"] <= frame["y"] < picture["y"] + picture["height"] / 3
        assert frame["height"] < picture["height"] / 2
        assert "Lettering" in read_bars(page, "surfaces")
        page.locator("#new").click()
        send_question(page, "What do you see here?", "safe-scene.png")
        expect(page.locator("#maps .frame")).to_have_count(0)
        expect(page.locator("#lettering")).to_be_hidden()
