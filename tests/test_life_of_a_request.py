"""The story of a request and the map of the code name what exists, and the story leaves no package out."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STORY = (ROOT / "docs" / "life-of-a-request.md").read_text(encoding="utf-8")
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::([\w.]+)`", STORY + MAP)))
BEHAVIOURS = re.findall(
    r"^\| (\d+) \| .+ \| `([\w/]+\.py)::[\w.]+` \| (?:`([\w/]+\.py)` )?\|$", MAP, flags=re.MULTILINE
)
"""Number, file, and the wrong first guess if there was one, of each behaviour of the map."""
ROOMS = [room for number, room in re.findall(r"^(\d+)\. \*\*`([\w/.]+)`\*\*", STORY, flags=re.MULTILINE)]
"""The package of each step, in order."""

ELSEWHERE = {"service/access", "service/playground", "service/settings", "service/startup"}
"""Packages that a request does not pass through: they serve the start of the server, or the packages of the story."""


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_is_named_is_there(file: str, name: str) -> None:
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    for part in name.split("."):
        found = [
            node
            for node in body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == part
        ]
        assert found, f"{file} has no {name}"
        body = found[0].body


def test_the_map_counts_its_right_guesses() -> None:
    assert [int(number) for number, _, _ in BEHAVIOURS] == list(range(1, 31))
    wrong = [guess for _, _, guess in BEHAVIOURS if guess]
    assert all((ROOT / guess).is_file() for guess in wrong)
    assert f"was right for {30 - len(wrong)} of 30" in MAP


def test_the_story_fits_on_one_screen() -> None:
    assert len(STORY.splitlines()) <= 45
    assert STORY.count("::") == len(re.findall(r"`[\w/]+\.py::[\w.]+`", STORY)) + 1, "the one is in the introduction"


def test_a_request_passes_through_every_package_once() -> None:
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", STORY, flags=re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(ROOMS) == len(steps)
    assert len(set(ROOMS)) == len(ROOMS)
    packages = {
        str(path.parent.relative_to(ROOT))
        for parent in ("service", "safety_core/engine")
        for path in (ROOT / parent).glob("*/__init__.py")
    }
    assert packages - ELSEWHERE <= set(ROOMS)
    for room, step in zip(ROOMS, re.split(r"^\d+\. ", STORY, flags=re.MULTILINE)[1:], strict=True):
        assert any(file.startswith(room) for file in re.findall(r"`([\w/]+\.py)::", step)), room


def test_the_names_of_the_request_are_counted_and_are_classes() -> None:
    sentence = STORY[STORY.index("The request has ") :]
    names = re.findall(r"`(\w+)`", sentence)
    assert sentence.startswith(f"The request has {len(names)} names")
    sources = [
        path.read_text(encoding="utf-8")
        for parent in ("service", "safety_core")
        for path in (ROOT / parent).rglob("*.py")
    ]
    for name in names:
        own = any(re.search(rf"^class {name}\b", source, flags=re.MULTILINE) for source in sources)
        assert own or name == "Request", (
            f"there is no class {name}; starlette's Request is the only one that is not ours"
        )
