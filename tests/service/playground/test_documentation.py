"""The pages of the API's documentation in a browser: complete, and from this server alone."""

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Request, expect

from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.browser import TIMEOUT_MS
from tests.helpers.server.threads import run_threaded_server


@pytest.mark.parametrize(("name", "shown"), [("docs", "#swagger-ui .opblock"), ("redoc", "redoc h1")])
def test_a_page_shows_the_document_without_another_host_and_without_a_complaint(
    browser: Browser, name: str, shown: str
) -> None:
    complaints: list[str] = []
    asked: list[str] = []

    def said(message: ConsoleMessage) -> None:
        # Redoc warns of schemas that it cannot merge: advice about the document, and no fault of the page.
        if message.type == "error" or "Content Security Policy" in message.text:
            complaints.append(message.text)

    def failed(error: Error) -> None:
        complaints.append(str(error))

    def requested(request: Request) -> None:
        asked.append(request.url)

    with run_threaded_server(FakeGuard()) as url:
        with browser.new_context() as context:
            page = context.new_page()
            page.on("console", said)
            page.on("pageerror", failed)
            page.on("request", requested)
            page.goto(f"{url}/{name}", timeout=TIMEOUT_MS)
            expect(page.locator(shown).first).to_be_visible(timeout=TIMEOUT_MS)
            expect(page.get_by_text("SafeVLM Guard").first).to_be_visible(timeout=TIMEOUT_MS)
            page.wait_for_load_state("networkidle", timeout=TIMEOUT_MS)
        assert f"{url}/openapi.json" in asked
        assert [one for one in asked if not one.startswith((f"{url}/", "data:", f"blob:{url}/"))] == []
        assert complaints == []


def test_a_request_can_be_tried_out_from_the_page(browser: Browser) -> None:
    with run_threaded_server(FakeGuard()) as url, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{url}/docs", timeout=TIMEOUT_MS)
        block = page.locator("#operations-default-healthz")
        block.locator(".opblock-summary-control").click(timeout=TIMEOUT_MS)
        block.get_by_role("button", name="Try it out").click(timeout=TIMEOUT_MS)
        block.get_by_role("button", name="Execute").click(timeout=TIMEOUT_MS)
        status = block.locator(".live-responses-table .response-col_status").last
        expect(status).to_contain_text("200", timeout=TIMEOUT_MS)
