"""Asking one question: what the page shows is what the server said, in the order in which it said it."""

import base64
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, Route, expect

from tests.helpers.paths import ROOT
from tests.helpers.server.browser import (
    DECISIONS,
    choose_images,
    format_events,
    get_answer,
    open_playground,
    read_bars,
    send_question,
    take_example,
    wait_until_finished,
)
from tests.helpers.server.processes import ServerProcess
from tests.helpers.server.threads import run_nano_server

REPLY = {
    "decision": "allowed",
    "content": "An apple.",
    "refusal": None,
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}


def said(server: ServerProcess, prompt: str, *images: bytes, **fields: Any) -> dict[str, Any]:
    """The server's own reply."""
    encoded = [base64.b64encode(image).decode() for image in images]
    response = httpx.post(
        f"{server.url}/v1/chat", json={"prompt": prompt, "images": encoded, "explain": True, **fields}, timeout=120
    )
    reply: dict[str, Any] = response.json()
    return reply


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def test_six_examples_are_decided_as_their_cards_say(page: Page, server: ServerProcess) -> None:
    examples = httpx.get(f"{server.url}/playground/about").json()["examples"]
    cards = page.locator("#examples .example")
    expect(cards).to_have_count(6)
    for index, example in enumerate(examples):
        for text in (example["kind"], example["title"], example["prompt"], DECISIONS[example["expects"]]):
            expect(cards.nth(index)).to_contain_text(text)
    for example in examples:
        take_example(page, example["title"])
        image = example["file"] and httpx.get(f"{server.url}/playground/examples/{example['file']}").content
        reply = said(server, example["prompt"], *([image] if image else []))
        answer = get_answer(page)
        expect(answer.locator(".badge")).to_have_text(DECISIONS[example["expects"]])
        expect(answer.locator(".words")).to_have_text(reply["content"] or reply["refusal"])
        expect(page.locator("#decision")).to_have_text(DECISIONS[reply["decision"]])
        expect(page.locator("#expectation")).to_have_text("Example, decided as expected.")
        risk = reply["risk"]
        assert sorted(read_bars(page, "types").values()) == sorted(map(percent, risk["type_scores"].values()))
        assert sorted(read_bars(page, "levels").values()) == sorted(map(percent, risk["level_scores"].values()))
        present = [share for share in risk["surfaces"].values() if share is not None]
        assert list(read_bars(page, "surfaces").values()) == [percent(share) for share in present]


def test_every_picture_of_an_example_is_described_and_credited(page: Page, server: ServerProcess) -> None:
    examples = httpx.get(f"{server.url}/playground/about").json()["examples"]
    described = [example["alt"] for example in examples if example["file"]]
    pictures = page.locator("#examples img")
    assert [picture.get_attribute("alt") for picture in pictures.all()] == described
    assert all(described)
    for credit in {example["credit"] for example in examples if example["credit"]}:
        expect(page.locator("#credits")).to_contain_text(credit)


def test_the_verdict_is_there_before_the_first_word(browser: Browser) -> None:
    # Replies are held back by a window of tokens; a short one shows that words come one by one.
    with run_nano_server(reply_window=2) as url, open_playground(browser, url) as page:
        page.evaluate(
            """() => {
                window.seen = [];
                const now = () => {
                    const answer = document.querySelector(".answer");
                    if (answer === null) return;  // the image is chosen before the question is asked
                    window.seen.push([
                        answer.querySelector(".badge").dataset.decision,
                        document.querySelectorAll("#types .bars li").length,
                        answer.querySelector(".words").textContent]);
                };
                new MutationObserver(now).observe(document.getElementById("panel-ask"),
                    {subtree: true, childList: true, characterData: true, attributes: true});
            }"""
        )
        send_question(page, "What do you see here?", "safe-scene.png")
        seen = page.evaluate("window.seen")
    judged = [state for state in seen if state[0] != "waiting"]
    assert judged[0][2] == ""
    assert next(state for state in judged if state[2])[1] == 7
    words = list(dict.fromkeys(state[2] for state in judged))
    assert len(words) > 3, "the reply must come in pieces"
    assert all(longer.startswith(shorter) for shorter, longer in pairwise(words))


def test_an_image_can_be_chosen_dropped_and_pasted(page: Page) -> None:
    data = base64.b64encode((ROOT / "examples" / "weapon.png").read_bytes()).decode()
    choose_images(page, "safe-scene.png")
    for event, carrier in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([data, event, carrier]) => {
                const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
                const carried = new DataTransfer();
                carried.items.add(new File([bytes], `${event}.png`, {type: "image/png"}));
                const kind = event === "drop" ? DragEvent : ClipboardEvent;
                document.getElementById("ask").dispatchEvent(
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
    expect(page.locator(".asked img")).to_have_count(2)
    expect(page.locator("#maps figure")).to_have_count(2)
    expect(page.locator("#thumbs img")).to_have_count(0)
    expect(page.locator("#prompt")).to_have_value("")


def test_a_photograph_can_be_taken(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url, permissions=["camera"]) as page:
        page.get_by_role("button", name="Camera").click()
        page.get_by_role("dialog", name="Take a photograph").get_by_role("button", name="Take").click()
        expect(page.locator("#thumbs img")).to_have_attribute("alt", "photograph.jpg")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("document.getElementById('viewfinder').srcObject") is None, "the camera is off again"
        send_question(page, "What do you see here?")
        expect(page.locator("#maps figure")).to_have_count(1)


def test_one_camera_is_opened_at_a_time(browser: Browser, server: ServerProcess) -> None:
    """A second stream would replace the first one, which would then never end."""
    with open_playground(browser, server.url, permissions=["camera"]) as page:
        page.evaluate(
            """() => {
                const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
                media.asked = 0;
                media.getUserMedia = (wish) => (media.asked++, ask(wish));
                for (let click = 0; click < 2; click++) document.getElementById("camera").click();
            }"""
        )
        expect(page.get_by_role("dialog", name="Take a photograph")).to_be_visible()
        assert page.evaluate("navigator.mediaDevices.asked") == 1
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Camera").click()
        expect(page.get_by_role("dialog", name="Take a photograph")).to_be_visible()


def test_a_phone_opens_its_own_camera(browser: Browser, server: ServerProcess) -> None:
    with (
        open_playground(browser, server.url, has_touch=True, is_mobile=True) as page,
        page.expect_file_chooser() as opened,
    ):
        page.get_by_role("button", name="Camera").click()
        assert opened.value.element.get_attribute("capture") == "environment"


def test_an_image_of_an_address_is_sent_after_the_files(browser: Browser, fake_server: str) -> None:
    bodies: list[str] = []

    def answer(route: Route) -> None:
        bodies.append((route.request.post_data_buffer or b"").decode("latin-1"))
        events = format_events(("assessment", {"decision": "allowed"}), ("delta", {"content": "An "}), ("done", REPLY))
        route.fulfill(content_type="text/event-stream", body=events)

    address = "https://pictures.example/apple.png"
    with open_playground(browser, fake_server, about={"image_urls": True, "exposes_risk": False}) as page:
        page.route("**/playground/chat", answer)
        page.get_by_role("button", name="Address of an image").click()
        page.locator("#address-field").fill(address)
        page.keyboard.press("Enter")
        expect(page.locator("#thumbs .remote")).to_have_text("pictures.example/apple.png")
        choose_images(page, "weapon.png")
        send_question(page, "Which is which?")
        expect(get_answer(page).locator(".words")).to_have_text("An apple.")
    (body,) = bodies
    assert '{"role":"user","content":"Which is which?","images":[1,0]}' in body
    assert body.index('name="image"; filename="weapon.png"') < body.index('name="image_url"') < body.index(address)


def test_a_server_that_fetches_no_addresses_offers_none(page: Page) -> None:
    expect(page.get_by_role("button", name="Address of an image")).to_be_hidden()


def test_words_alone_are_judged_too(page: Page) -> None:
    send_question(page, "How do I steal a car?")
    expect(page.locator("#decision")).to_have_text("Refused")
    expect(page.locator("#attention")).to_be_hidden()
    assert set(read_bars(page, "surfaces")) == {"Words"}


def test_an_image_alone_is_described(page: Page) -> None:
    send_question(page, "", "safe-scene.png")
    expect(page.locator("#decision")).to_have_text("Allowed")
    expect(get_answer(page).locator(".words")).not_to_be_empty()
    page.locator("#send").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text("Write a question or add an image.")


def test_options_reach_the_server(page: Page, server: ServerProcess) -> None:
    page.get_by_role("button", name="Options").click()
    page.get_by_label("Maximum tokens").fill("3")
    send_question(page, "What do you see here?", "safe-scene.png")
    expect(get_answer(page)).to_contain_text("3 tokens; the limit is reached.")
    image = (ROOT / "examples" / "safe-scene.png").read_bytes()
    expect(get_answer(page).locator(".words")).to_have_text(
        said(server, "What do you see here?", image, max_tokens=3)["content"]
    )


def test_an_option_that_cannot_be_sent_is_shown(page: Page) -> None:
    page.get_by_role("button", name="Options").click()
    page.get_by_label("Temperature").fill("9")
    page.get_by_role("button", name="Options").click()
    expect(page.locator("#options")).to_be_hidden()
    page.locator("#prompt").fill("What do you see here?")
    page.locator("#send").click()
    expect(page.get_by_label("Temperature")).to_be_visible()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#prompt")).to_have_value("What do you see here?")


def test_what_goes_wrong_is_said_and_can_be_tried_again(
    browser: Browser, server: ServerProcess, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes((ROOT / "examples" / "weapon.png").read_bytes()[:200])
    with open_playground(browser, server.url, quiet=False) as page:
        send_question(page, "What is it?", broken)
        answer = get_answer(page)
        expect(answer.locator(".badge")).to_have_text("No answer")
        message = httpx.post(
            f"{server.url}/v1/chat", files={"image": broken.read_bytes()}, data={"prompt": "What is it?"}
        ).json()["error"]["message"]
        expect(answer.locator(".problem")).to_have_text(message)
        expect(page.locator("#scores")).to_be_hidden()
        answer.get_by_role("button", name="Try again").click()
        wait_until_finished(page)
        expect(answer.locator(".problem")).to_have_text(message)
        page.locator("#files").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"})
        expect(page.get_by_role("alert").filter(visible=True)).to_have_text("Only images are accepted.")
        # Nothing is left over from before.
        send_question(page, "What do you see here?", "safe-scene.png")
        expect(page.locator("#decision")).to_have_text("Allowed")


def test_a_connection_that_is_lost_is_said(page: Page) -> None:
    page.evaluate(
        """() => {
            const real = window.fetch;
            const start = (control) => control.error(new TypeError("network error"));
            window.fetch = async (url, options) =>
                url.endsWith("/playground/chat") ? new Response(new ReadableStream({start})) : real(url, options);
        }"""
    )
    send_question(page, "What is it?")
    expect(get_answer(page).locator(".problem")).to_have_text("The connection to the server was lost.")


def test_a_decision_that_cannot_be_explained_is_still_shown(browser: Browser, fake_server: str) -> None:
    def fail(route: Route) -> None:
        route.fulfill(status=503, json={"error": {"message": "The server is busy.", "code": "overloaded"}})

    with open_playground(browser, fake_server, quiet=False) as page:
        page.route("**/playground/judgement", fail)
        send_question(page, "What is it?")
        expect(get_answer(page).locator(".words")).to_have_text("It is a red apple.")
        expect(page.locator("#explanation-problem")).to_contain_text("The server is busy.")
        expect(page.locator("#why")).to_be_hidden()


def test_too_many_images_are_not_taken(page: Page) -> None:
    page.locator("#files").set_input_files([ROOT / "examples" / "weapon.png"] * 9)
    problem = page.get_by_role("alert").filter(visible=True)
    expect(problem).to_have_text("At most 8 images are accepted in a conversation.")
    expect(page.locator("#thumbs li")).to_have_count(8)


def test_markup_is_shown_as_text(page: Page) -> None:
    text = "<b>What</b> do you see here?<script>alert(1)</script>"
    page.locator("#files").set_input_files(
        {
            "name": "<img src=x onerror=alert(1)>.png",
            "mimeType": "image/png",
            "buffer": (ROOT / "examples" / "safe-scene.png").read_bytes(),
        }
    )
    send_question(page, text)
    expect(page.locator(".asked p")).to_have_text(text)
    page.get_by_role("tab", name="Policy").click()
    expect(page.locator("#session .prompt")).to_have_text(text)
    assert page.locator(".asked b, #session b, main script, img[onerror]").count() == 0


def test_a_running_request_can_be_stopped(browser: Browser, server: ServerProcess) -> None:
    with open_playground(browser, server.url, quiet=False) as page:
        # The answer is held back on its way, so that there is time to stop it.
        page.route("**/playground/chat", lambda route: None)
        page.locator("#prompt").fill("What do you see here?")
        page.locator("#send").click()
        expect(get_answer(page).locator(".badge")).to_have_text("Judging …")
        # Meanwhile nothing else can be sent, neither by the button, which says so, nor by the keyboard.
        page.locator("#prompt").fill("And here?")
        expect(page.locator("#send")).to_be_disabled()
        page.locator("#send").click(force=True)  # a click that does not wait until the button is enabled
        page.locator("#prompt").press("Control+Enter")
        expect(page.locator(".turn")).to_have_count(1)
        page.keyboard.press("Escape")
        wait_until_finished(page)
        expect(get_answer(page).locator(".problem")).to_have_text("Stopped.")
        page.unroute("**/playground/chat")
        get_answer(page).get_by_role("button", name="Try again").click()
        wait_until_finished(page)
        expect(page.locator("#decision")).not_to_have_text("No answer")
        expect(page.locator("#prompt")).to_have_value("And here?")
