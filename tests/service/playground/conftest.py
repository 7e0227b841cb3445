"""One browser for all of these tests, and the servers that they open."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from service.access.api_keys import Scope, format_key_entry
from tests.helpers.paths import NANO_CHECKPOINT
from tests.helpers.server.browser import launch_browser, open_playground
from tests.helpers.server.processes import ServerProcess, run_server

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
    with run_server(NANO_CHECKPOINT, api_keys=format_key_entry("person", SECRET, [Scope.CHAT]) + hurried) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launch_browser(playwright) as launched_browser:
        yield launched_browser


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    with open_playground(browser, server.url) as page:
        yield page
