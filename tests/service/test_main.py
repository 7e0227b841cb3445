"""The server as a process, on the tiny checkpoint: what only a real start, a real socket and a real stop show."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from safety_core.inputs.images.decoding import decode_image
from safety_core.model.checkpoint.checkpoint import init_checkpoint
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from service.__main__ import CANNOT_START, choose_host, main
from service.access.api_keys import KeySet, Scope, format_key_entry, generate_key, parse_keys
from service.settings import Settings
from service.telemetry.logs import set_up_logging
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_jpeg_with_metadata, encode_png
from tests.helpers.paths import ROOT
from tests.helpers.server.applications import open_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.processes import ServerProcess, build_server_environment, run_server


@pytest.fixture(scope="module")
def server(tiny_checkpoint: Path) -> Iterator[ServerProcess]:
    with run_server(tiny_checkpoint, log_level="debug") as server:
        yield server


def test_it_classifies_chats_and_streams(server: ServerProcess) -> None:
    files = [("image", ("a.png", encode_png((40, 30))))]
    verdict = httpx.post(f"{server.url}/v1/classify", files=files, data={"prompt": "What is it?"}).json()
    assert set(verdict["risk"]["type_scores"]) == set(T.types)
    assert (verdict["images_received"], verdict["images_scanned"]) == (1, 1)
    request = {"prompt": "What is it?", "max_tokens": "5"}
    reply = httpx.post(f"{server.url}/v1/chat", files=files, data=request).json()
    assert reply["decision"] == verdict["decision"]
    assert (reply["content"] is None) == (reply["decision"] == "refused")
    assert bool(reply["usage"]["completion_tokens"]) == (reply["decision"] != "refused")
    streamed = httpx.post(f"{server.url}/v1/chat", files=files, data={**request, "stream": "true"}).text
    name, last = parse_events(streamed)[-1]
    assert name == "done"
    assert (last["content"], last["refusal"]) == (reply["content"], reply["refusal"])


def test_damaged_and_oversized_requests_leave_it_standing(server: ServerProcess) -> None:
    for body in (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"GIF89a", b"\xff\xd8\xff", b""):
        response = httpx.post(f"{server.url}/v1/classify", files=[("image", ("a", body))])
        assert response.status_code == 400
    assert httpx.get(f"{server.url}/readyz").status_code == 200


def test_its_metrics_say_what_it_serves(server: ServerProcess) -> None:
    text = httpx.get(f"{server.url}/metrics").text
    info = {"checkpoint": "tiny", "backbone": "included", "device": "cpu", "dtype": "float32"}
    assert read_metric(text, "safevlm_model_info", **info) == 1


def test_it_stops_when_told_and_wrote_nothing_of_its_clients(server: ServerProcess) -> None:
    httpx.post(f"{server.url}/v1/chat?q=SECRET", json={"prompt": "SECRET", "max_tokens": 3})
    httpx.post(f"{server.url}/v1/chat", files=[("SECRET", ("SECRET", b"SECRET"))])
    httpx.post(f"{server.url}/v1/classify", files=[("image", ("SECRET", encode_jpeg_with_metadata("SECRET")))])
    assert server.stop() == 0
    output = server.log.read_text()
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    served = {(line["endpoint"], line["status"]) for line in lines if "endpoint" in line}
    assert {("chat", 200), ("chat", 422), ("classify", 200)} <= served
    assert f"Uvicorn running on {server.url}" in output
    assert "SECRET" not in output
    assert "Traceback" not in output


def test_told_to_stop_it_finishes_what_it_accepted(tiny_checkpoint: Path, tmp_path: Path) -> None:
    lenient = tmp_path / "policy.yaml"
    lenient.write_text(json.dumps({"enabled": dict.fromkeys(T.risky_types, False)}))
    begun = threading.Barrier(5)

    def chat(url: str, number: int) -> str:
        data = {"prompt": f"question {number}", "stream": "true", "max_tokens": "300"}
        text = ""
        with httpx.stream("POST", f"{url}/v1/chat", data=data, files={"image": encode_png()}, timeout=120) as response:
            for line in response.iter_lines():
                if not text:
                    begun.wait(60)
                text += f"{line}\n"
        return text

    with run_server(tiny_checkpoint, policy=lenient) as server, ThreadPoolExecutor(4) as pool:
        chats = [pool.submit(chat, server.url, number) for number in range(4)]
        begun.wait(60)
        assert server.stop() == 0
        for text in (one.result(60) for one in chats):
            names = [name for name, _ in parse_events(text)]
            assert (names[0], names[-1]) == ("assessment", "done")
            assert names.count("delta") > 1


def run_until_end(checkpoint: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service"],
        cwd=ROOT,
        env=build_server_environment(device="cpu", checkpoint=checkpoint),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_an_untrained_checkpoint_ends_the_process(tiny_backbone: Path, tmp_path: Path) -> None:
    done = run_until_end(init_checkpoint(tiny_backbone, tmp_path / "fresh"))
    assert done.returncode == CANNOT_START
    assert "never trained" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_backbone_that_was_never_fetched_ends_the_process(unfetched_checkpoint: Path) -> None:
    done = run_until_end(unfetched_checkpoint)
    assert done.returncode == CANNOT_START
    assert done.stderr.splitlines()[-1] == (
        "safevlm-serve: wanted: the backbone is missing, assemble it with: "
        f"safevlm parts fetch --out {unfetched_checkpoint}"
    )


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_no_level_writes_what_clients_sent(level: str, caplog: pytest.LogCaptureFixture) -> None:
    set_up_logging(level)
    form = {"content-type": "multipart/form-data; boundary=edge"}
    with open_client(FakeGuard(pieces=("SECRET reply",))) as client:
        client.post(
            "/v1/chat", data={"prompt": "SECRET"}, files=[("image", ("SECRET", encode_jpeg_with_metadata("SECRET")))]
        )
        client.post("/v1/chat", content=b"--edge\r\n\x07SECRET", headers=form)
        client.post("/v1/chat?q=SECRET", content=b"SECRET", headers=form)
    ours = [record for record in caplog.records if record.name.startswith("service")]
    assert bool(ours) == (level in ("debug", "info"))
    assert caplog.records == ours
    assert "SECRET" not in caplog.text


def test_libraries_that_quote_their_input_stay_quiet_whatever_the_root_level(caplog: pytest.LogCaptureFixture) -> None:
    set_up_logging("debug")
    assert not logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO), "its lines are paths with queries"
    with caplog.at_level(logging.DEBUG):
        decode_image(encode_jpeg_with_metadata("SECRET"))
        with pytest.raises(FormParserError):
            MultipartParser(b"edge", {}).write(b"SECRET")
    assert caplog.records == []


def test_our_own_lines_have_the_level_that_was_asked_for() -> None:
    for level in ("debug", "info", "warning", "error"):
        set_up_logging(level)
        for name in ("service.app", "safety_core.engine.guard"):
            assert logging.getLevelName(logging.getLogger(name).getEffectiveLevel()) == level.upper()


def refusal_to_start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **settings: object) -> str:
    for name, value in settings.items():
        monkeypatch.setenv(f"SAFEVLM_{name.upper()}", str(value))
    monkeypatch.setattr(sys, "argv", ["safevlm-serve"])
    assert main() == CANNOT_START
    return capsys.readouterr().err.splitlines()[-1]


def test_it_says_in_one_line_why_it_does_not_start(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAFEVLM_DEVICE", "cpu")
    assert "nowhere" in refusal_to_start(monkeypatch, capsys, checkpoint=tmp_path / "nowhere")
    overlay = tmp_path / "policy.yaml"
    overlay.write_text(json.dumps({"enabled": {"weapons": True}}))
    assert "policy.yaml:1: enabled.weapons" in refusal_to_start(
        monkeypatch, capsys, checkpoint=tiny_checkpoint, policy=overlay
    )
    with monkeypatch.context() as patch:  # the file is read before the model, which may take minutes
        patch.setattr("service.__main__.load_configured_guard", lambda settings: pytest.fail("loads a model"))
        overlay.write_text("enabled: [")
        assert "policy.yaml" in refusal_to_start(patch, capsys, checkpoint=tiny_checkpoint, policy=overlay)
        missing = refusal_to_start(patch, capsys, checkpoint=tiny_checkpoint, policy=tmp_path / "none.yaml")
        assert "none.yaml" in missing
    monkeypatch.delenv("SAFEVLM_POLICY")
    nowhere = tmp_path / "nowhere" / "audit.db"
    line = refusal_to_start(monkeypatch, capsys, audit_log=nowhere)
    assert line == f"safevlm-serve: SAFEVLM_AUDIT_LOG: {nowhere} cannot be opened as an audit log"
    monkeypatch.delenv("SAFEVLM_AUDIT_LOG")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for name in ("api_keys_file", "policy"):
        line = refusal_to_start(monkeypatch, capsys, **{name: pipe})
        assert line == f"safevlm-serve: SAFEVLM_{name.upper()}: {pipe} cannot be read: it is not a regular file"
        monkeypatch.delenv(f"SAFEVLM_{name.upper()}")
    line = refusal_to_start(monkeypatch, capsys, expose_rsik="false")
    assert line == "safevlm-serve: unknown settings: SAFEVLM_EXPOSE_RSIK (did you mean SAFEVLM_EXPOSE_RISK?)"


@pytest.mark.parametrize(
    ("host", "keyless", "keyed"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost", "localhost"),
        ("::1", "::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "0.0.0.0"),
        ("guard.internal", "127.0.0.1", "guard.internal"),
    ],
)
def test_without_keys_only_this_machine_is_served_and_the_log_says_so(
    host: str, keyless: str, keyed: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(host=host)
    assert choose_host(settings, KeySet()) == keyless
    assert ("no API keys" in caplog.text) == (host != keyless)
    assert choose_host(settings, parse_keys(format_key_entry("a", generate_key(), [Scope.CHAT]), "test")) == keyed


@pytest.mark.parametrize("arguments", [[], ["a b"], ["shop", "root"]])
def test_it_makes_no_key_that_would_not_work(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["safevlm-serve", "new-key", *arguments])
    assert main() == CANNOT_START
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "new-key NAME" in printed.err


def test_a_command_that_it_does_not_know_starts_no_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["safevlm-serve", "--new-key", "shop"])
    assert main() == CANNOT_START
    assert "new-key" in capsys.readouterr().err


def test_it_makes_keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["safevlm-serve", "new-key", "shop", "chat", "metrics"])
    assert main() == 0
    printed = capsys.readouterr().out
    secret = printed.splitlines()[0].rsplit(" ", 1)[1]
    found = parse_keys(printed, "test").find(secret)
    assert found is not None
    assert (found.name, set(found.scopes)) == ("shop", {Scope.CHAT, Scope.METRICS})
