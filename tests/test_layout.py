"""The tree of tests mirrors the tree of modules, and test modules share code through ``tests.helpers`` alone."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from tools.measure_layout import UNCOUNTED, Limits

LIMITS = Limits()
TESTS = ROOT / "tests"
MIRRORS = ("safety_core", "service", "bench", "tools")
"""Packages whose modules have a test of the same path."""

WHOLE = ("service/hardening", "service/playground")
"""Folders of tests that run the server as a whole, inside a mirror because they share its fixtures."""


def find_imports(file: Path) -> Iterator[str]:
    """Full names of everything that a file imports, at any depth."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_test_module(name: str) -> bool:
    """Whether a name belongs to a test module or a conftest of this tree."""
    first, *rest = name.split(".")
    return first == "tests" and any(part == "conftest" or part.startswith("test_") for part in rest[:-1])


def has_module(test: Path) -> bool:
    """Whether the module exists that a test file is named after."""
    name = test.name.removeprefix("test_")
    folder = ROOT / test.relative_to(TESTS).parent
    return (folder / name).is_file() or (folder / f"__{name.removesuffix('.py')}__.py").is_file()


def test_what_test_modules_share_lives_in_helpers() -> None:
    files = [file for folder in ("tests", "bench", "tools") for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 200
    found = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in find_imports(file)
        if is_test_module(name)
    ]
    assert found == []


@pytest.mark.parametrize("package", MIRRORS)
def test_what_is_tested_does_not_import_tests(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert [str(file) for file in files if any(name.split(".")[0] == "tests" for name in find_imports(file))] == []


@pytest.mark.parametrize("package", MIRRORS)
def test_every_test_file_is_named_after_a_module(package: str) -> None:
    whole = tuple(TESTS / folder for folder in WHOLE)
    files = [
        file
        for file in sorted((TESTS / package).rglob("test_*.py"))
        if not any(file.is_relative_to(folder) for folder in whole)
    ]
    assert files
    assert [str(file.relative_to(ROOT)) for file in files if not has_module(file)] == []


@pytest.mark.parametrize("folder", ["tests/helpers", "bench", "tools"])
def test_helpers_and_measurements_keep_the_bounds_of_the_product(folder: str) -> None:
    modules = [file for file in sorted((ROOT / folder).rglob("*.py")) if file.name not in UNCOUNTED]
    crowded = {
        path: count
        for path, count in Counter(file.parent for file in modules).items()
        if count > LIMITS.modules_per_folder
    }
    long = [file for file in modules if len(file.read_text(encoding="utf-8").splitlines()) > LIMITS.lines_per_module]
    assert (crowded, long) == ({}, [])
