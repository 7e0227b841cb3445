"""Parts of a server: created from the settings, checked against each other, and closed with it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safety_core.engine.serving.cores import CoreShare
from safety_core.errors import ConfigError, OverloadedError
from service.access.api_keys import Scope, format_key_entry
from service.container import Service
from service.ingress.error_budget import BURST
from service.ingress.request_resources import RequestResources
from service.settings import Settings
from service.startup.lifespan import derive_engine_config, derive_image_limits, open_service
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.engine.requests import GUARD_REQUEST
from tests.helpers.images.encoding import encode_png

KEYS = format_key_entry("shop", "secret", [Scope.CHAT])


class Closeable(FakeGuard):
    """Counts how often its process for texts was started and closed."""

    processes = 0

    def fold_in_process(self) -> "Closeable":
        self.processes += 1
        return self

    def close(self) -> None:
        self.processes -= 1


def run(use: Callable[[Service], Awaitable[None]], guard: FakeGuard | None = None, **settings: Any) -> None:
    """Open a server's parts, use them, and close them."""

    async def main() -> None:
        async with open_service(Settings(**settings), FakeGuard() if guard is None else guard) as service:
            await use(service)

    asyncio.run(main())


def test_the_server_is_ready_once_it_is_open_and_nothing_is_left_once_it_is_closed() -> None:
    guard, opened = Closeable(), list[Service]()

    async def use(service: Service) -> None:
        opened.append(service)
        service.readiness.require()
        assert guard.processes == 1
        assert (await service.guard.assess(GUARD_REQUEST)).verdict is not None

    run(use, guard)
    assert guard.processes == 0
    assert opened[0].readiness.failure == "the worker is dead or stuck"


def test_a_guard_that_fails_its_canary_is_open_but_not_ready() -> None:
    async def use(service: Service) -> None:
        assert service.readiness.failure == "the canary was allowed"

    run(use, FakeGuard(wrong="the canary was allowed"))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"api_keys": "- {name: a}"}, "api_keys:1: 0.sha256"),
        ({"policy": "nowhere.yaml"}, "nowhere.yaml"),
        ({"audit_log": "/nowhere/audit.db"}, "audit.db cannot be written"),
        ({"api_keys": KEYS.replace("scopes", "policies: [strict]\n  scopes")}, "strict"),
        ({"playground_compare": True}, "SAFEVLM_PLAYGROUND_COMPARE: this guard was loaded without"),
    ],
)
def test_what_does_not_fit_stops_the_start(settings: dict[str, Any], complaint: str) -> None:
    guard = Closeable()

    async def use(service: Service) -> None:
        pytest.fail("it started")

    with pytest.raises(ConfigError, match=complaint):
        run(use, guard, **settings)
    assert guard.processes == 0


def test_a_changed_file_of_keys_is_in_force_and_names_policies_that_are_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(KEYS)

    async def use(service: Service) -> None:
        assert service.keys.content.find("secret") is not None
        file.write_text(format_key_entry("other", "another", [Scope.CHAT]) + "  policies: [strict]\n")
        async with asyncio.timeout(60):
            while service.keys.content.find("another") is None:
                await asyncio.sleep(0.01)
        assert service.keys.content.find("secret") is None

    with caplog.at_level(logging.WARNING):
        run(use, api_keys_file=file, reload_interval_s=0.01)
    assert "strict" in caplog.text


@pytest.mark.parametrize(("side", "is_smaller"), [(None, False), (224, True), (10**6, False)])
def test_views_are_no_larger_than_what_the_model_reads(side: int | None, is_smaller: bool) -> None:
    settings = Settings(max_image_bytes=5, max_image_pixels=7)
    limits = derive_image_limits(settings, replace(FakeGuard().info, image_side=side))
    assert (limits.max_bytes, limits.max_pixels) == (5, 7)
    assert limits.max_side == (side if is_smaller else settings.image_limits.max_side)


def test_pictures_of_a_client_whose_errors_cost_too_much_are_not_decoded() -> None:
    async def use(service: Service) -> None:
        resources = RequestResources(client="greedy")
        pictures = [encode_png((8, 8))] * 2
        assert len((await service.image_loader.load(pictures, resources, max_images=2)).images) == 2
        for _ in range(10):
            service.error_budget.charge("greedy", BURST)
        with pytest.raises(OverloadedError):
            await service.image_loader.load(pictures, resources, max_images=2)
        other = RequestResources(client="other")
        assert len((await service.image_loader.load(pictures, other, max_images=2)).images) == 2

    run(use)


@pytest.mark.parametrize(("side", "reading_side", "expected"), [(260, 736, 736), (1000, 736, 1000), (260, 9999, 1344)])
def test_pictures_are_decoded_as_large_as_the_model_or_the_reader_needs(
    side: int, reading_side: int, expected: int
) -> None:
    info = replace(FakeGuard().info, image_side=side, reading_side=reading_side)
    assert derive_image_limits(Settings(), info).max_side == expected


def test_a_reader_gets_threads_of_its_own_on_half_of_the_cores() -> None:
    info, settings = FakeGuard().info, Settings()
    assert derive_engine_config(settings, info, CoreShare(16)) == settings.engine
    reading = replace(info, reads_lettering=True)
    assert [derive_engine_config(settings, reading, CoreShare(cores)).prepare_slots for cores in (1, 2, 16)] == [
        2,
        2,
        9,
    ]
