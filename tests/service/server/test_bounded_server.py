"""What a server says when it begins to listen, and that nothing else talks in between."""

import asyncio
import logging

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from service.server.bounded_server import AcceptErrorLog, BoundedServer
from tests.helpers.server.processes import ServerProcess


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_the_address_is_one_that_works(host: str, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI(openapi_url=None)

    async def scenario() -> None:
        server = BoundedServer(uvicorn.Config(app, host=host, port=0, log_config=None), ["here: {url}/x"])
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0)
        (line,) = [record.getMessage() for record in caplog.records if record.name == "service.server.bounded_server"]
        assert line.startswith(f"here: http://{shown}:")
        async with httpx.AsyncClient() as client:
            assert (await client.get(line.removeprefix("here: "), timeout=60)).status_code == 404
        server.should_exit = True
        await running

    with caplog.at_level(logging.INFO, "service.server.bounded_server"):
        asyncio.run(scenario())


def test_descriptors_that_run_out_are_complained_about_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        log = AcceptErrorLog()
        for _ in range(100):
            context = {"message": "socket.accept() out of system resource", "exception": OSError(24, "none")}
            log.handle(loop, context)

    asyncio.run(scenario())
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.slow
def test_the_server_names_its_urls_its_checkpoint_and_what_it_is_fit_for(nano_server: ServerProcess) -> None:
    log = nano_server.log.read_text()
    for said in (f"{nano_server.url}/v1", f"{nano_server.url}/docs", f"{nano_server.url}/playground", "safevlm-nano"):
        assert said in log
    assert "does not understand photographs" in log
    assert "Warning" not in log
    assert all(line.startswith("{") for line in log.splitlines()), "nobody writes past the log"
