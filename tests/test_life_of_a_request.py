"""The story of a request names files and functions that exist, and leaves no part of the engine out."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STORY = (ROOT / "docs" / "life-of-a-request.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::([\w.]+)`", STORY)))
BESIDE = {
    *("__init__", "canary", "exceptions", "explanation", "guard_info", "heatmap", "load", "messages", "protocols"),
    *("engine_config", "observer", "suitability", "work"),
}
"""Modules of the engine that a request does not pass through."""


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_the_story_names_is_there(file: str, name: str) -> None:
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    for part in name.split("."):
        found = [
            node
            for node in body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == part
        ]
        assert found, f"{file} has no {name}"
        body = found[0].body


def test_the_story_is_in_numbered_steps_and_writes_every_name_so_that_it_is_checked() -> None:
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", STORY, flags=re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > 10
    assert STORY.count("::") == len(re.findall(r"`[\w/]+\.py::[\w.]+`", STORY)) + 1, "the one is in the introduction"


def test_the_story_passes_through_the_whole_engine() -> None:
    modules = {path.stem for path in (ROOT / "safety_core" / "engine").rglob("*.py")} - BESIDE
    assert modules == {Path(file).stem for file, _ in NAMED if file.startswith("safety_core/engine/")}
