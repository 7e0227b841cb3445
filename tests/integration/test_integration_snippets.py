"""Every snippet of ``docs/integrations.md`` runs, as it stands there, against a server with safevlm-small.

Skipped, and said so, where its backbone was not assembled (``safevlm parts fetch``) or the reader of lettering is not
installed.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.engine.readers import needs_ocr
from tests.helpers.paths import ROOT
from tests.helpers.server.processes import ServerProcess, run_server

pytestmark = [pytest.mark.slow, pytest.mark.small, needs_ocr]

DOCUMENT = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
SECTIONS = {
    part.split("\n", 1)[0]: dict(re.findall(r"```(\w+)\n(.*?)```", part, flags=re.DOTALL))
    for part in DOCUMENT.split("\n## ")[1:]
}
SERVED_AT = "http://127.0.0.1:8000"
REFUSAL = "I can't help with that"


@pytest.fixture(scope="module")
def server(small_checkpoint: Path) -> Iterator[ServerProcess]:
    with run_server(small_checkpoint) as server:
        yield server


def output(server: ServerProcess, section: str, kind: str = "python") -> str:
    """What a snippet prints."""
    snippet = SECTIONS[section][kind]
    assert SERVED_AT in snippet
    command = ["bash", "-c"] if kind == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, snippet.replace(SERVED_AT, server.url)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=ROOT,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl(server: ServerProcess) -> None:
    reply = json.loads(output(server, "curl", "bash"))
    assert reply["choices"][0]["finish_reason"] == "content_filter"
    assert REFUSAL in reply["choices"][0]["message"]["refusal"]


def test_openai(server: ServerProcess) -> None:
    assert "cat" in output(server, "OpenAI's Python client")


def test_refusals_that_clients_show(server: ServerProcess) -> None:
    shown = output(server, "Refusals that clients show").strip().splitlines()
    assert len(shown) == 3
    assert all(REFUSAL in line for line in shown)


def test_langchain(server: ServerProcess) -> None:
    assert REFUSAL in output(server, "LangChain")


def test_litellm(server: ServerProcess) -> None:
    allowed, blocked = output(server, "LiteLLM").strip().splitlines()
    assert "What animal is this?" in allowed
    assert blocked.startswith("blocked: ")
    assert REFUSAL in blocked


def test_the_litellm_config_names_what_litellm_knows(server: ServerProcess) -> None:
    config: Any = yaml.safe_load(SECTIONS["LiteLLM"]["yaml"])
    (guardrail,) = config["guardrails"]
    code = "from litellm.types.guardrails import LitellmParams; import json, sys; LitellmParams(**json.load(sys.stdin))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(guardrail["litellm_params"]),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    assert done.returncode == 0, done.stderr


def test_nemo_guardrails(server: ServerProcess) -> None:
    asked, refused = output(server, "NeMo Guardrails").strip().splitlines()[-2:]
    assert asked == "What animal is this?"
    assert REFUSAL in refused


def test_every_section_has_a_snippet_that_runs_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{section}"' in source for section in SECTIONS)
