"""One browser for all of these tests, and the servers that they open."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from service.access.api_keys import Scope, format_key_entry
from tests.helpers.browser import launched, opened
from tests.helpers.clients import ROOT, ServerProcess, running_server

CHECKPOINT = ROOT / "weights" / "safevlm-nano"
SECRET, HURRIED = "sk-safevlm-of-a-person", "sk-safevlm-of-another"


@pytest.fixture
def server(nano_server: ServerProcess) -> ServerProcess:
    return nano_server


@pytest.fixture(scope="package")
def keyed() -> Iterator[ServerProcess]:
    """A server that wants a key: ``SECRET``, or ``HURRIED``, which is good for two requests a minute."""
    hurried = format_key_entry("hurried", HURRIED, [Scope.CHAT]).replace(
        "- name: hurried\n", "- name: hurried\n  requests_per_minute: 2\n"
    )
    with running_server(CHECKPOINT, api_keys=format_key_entry("person", SECRET, [Scope.CHAT]) + hurried) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launched(playwright) as launched_browser:
        yield launched_browser


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    with opened(browser, server.url) as page:
        yield page
