"""The code imports only packages that its installation declares: test tools must not stand in for a missing one."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REEXPORTED = {"starlette": "fastapi", "pydantic_core": "pydantic"}
"""Packages whose classes are part of a declared package's interface."""


@cache
def declared(*extras: str) -> frozenset[str]:
    """Normalised names of the distributions that an installation with some extras requires."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [*project["dependencies"]]
    for extra in extras:
        required += project["optional-dependencies"][extra]
    return frozenset(normalised(re.split(r"[^\w.-]", one, maxsplit=1)[0]) for one in required)


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imports_of(source: str) -> Iterator[tuple[str, bool]]:
    """Top-level packages that run-time code imports, and whether at the import of its module already."""
    pending: list[tuple[ast.AST, bool]] = [(ast.parse(source), True)]
    while pending:
        node, at_once = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            pending += [(child, at_once) for child in node.orelse]
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0], at_once
        at_once = at_once and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        pending += [(child, at_once) for child in ast.iter_child_nodes(node)]


def undeclared(source: str, extras: tuple[str, ...], own: tuple[str, ...]) -> list[str]:
    """Packages that code imports although an installation without them is complete."""
    found = []
    for package, at_once in imports_of(source):
        if package in sys.stdlib_module_names or package in own:
            continue
        brought_by = packages_distributions().get(REEXPORTED.get(package, package), [package])
        allowed = declared() | (declared(*extras) if not at_once else frozenset())
        if not allowed & {normalised(name) for name in brought_by}:
            found.append(package)
    return sorted(set(found))


@pytest.mark.parametrize("package", ["service", "safety_core"])
def test_the_product_imports_what_its_installation_declares(package: str) -> None:
    """At import the dependencies alone; within functions also what the extras of users bring."""
    for module in sorted((ROOT / package).rglob("*.py")):
        source = module.read_text(encoding="utf-8")
        assert undeclared(source, ("data", "eval", "scale"), ("service", "safety_core")) == [], module


def test_the_benchmarks_import_what_their_extra_declares() -> None:
    for module in sorted((ROOT / "bench").rglob("*.py")):
        found = undeclared(module.read_text(encoding="utf-8"), (), ("service", "safety_core", "bench"))
        assert {normalised(name) for name in found} <= declared("bench"), module


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import httpx", ["httpx"]),
        ("from httpx import HTTPError", ["httpx"]),
        ("try:\n    import httpx\nexcept ImportError:\n    pass", ["httpx"]),
        ("def load():\n    import pyarrow.parquet", []),
        ("import pyarrow.parquet", ["pyarrow"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pytest\nelse:\n    import httpx", ["httpx"]),
        ("import os.path, PIL.Image, yaml\nfrom starlette.types import Send", []),
    ],
)
def test_an_undeclared_import_is_found(source: str, found: list[str]) -> None:
    assert undeclared(source, ("data",), ()) == found
