"""Measure the layout of the code: modules per folder, lines per module, and functions whose names begin with a verb.

    python -m tools.measure_layout            print the table
    python -m tools.measure_layout --check    exit with status 1 if a bound of `LIMITS` is exceeded
    python -m tools.measure_layout --names    list the functions that do not begin with a verb

Counted are functions and methods of the product packages. Properties, dunder methods and tests are excluded: the first
are values, the second have given names, the third are sentences. The verbs are those of `tools/verbs.txt`.
"""

import argparse
import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("safety_core", "service")
VERBS = Path(__file__).with_name("verbs.txt")
# Modules whose names Python prescribes; they do not count towards the size of a folder.
UNCOUNTED = {"__init__.py", "__main__.py"}
PROPERTY_DECORATORS = {"property", "cached_property", "setter"}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on the layout."""

    modules_per_folder: int = 12
    lines_per_module: int = 400
    median_lines: int = 150
    verb_share: float = 0.6


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The measured layout of the product packages."""

    modules: dict[str, int]
    """Modules of each folder."""
    lines: dict[str, int]
    """Lines of each module."""
    functions: dict[str, list[str]]
    """Names of the functions of each module, in the order of the file."""
    verbs: frozenset[str]

    @property
    def nouns(self) -> dict[str, list[str]]:
        """Functions of each module whose first word is not a verb."""
        named = {
            path: [name for name in names if not self.begins_with_verb(name)] for path, names in self.functions.items()
        }
        return {path: names for path, names in named.items() if names}

    @property
    def verb_share(self) -> float:
        """Share of functions that begin with a verb, 0 to 1."""
        total = sum(map(len, self.functions.values()))
        return 1 - sum(map(len, self.nouns.values())) / total

    def begins_with_verb(self, name: str) -> bool:
        """Whether the first word of a name in snake case is a listed verb; leading underscores do not matter."""
        return name.lstrip("_").split("_")[0].lower() in self.verbs

    def find_violations(self, limits: Limits) -> list[str]:
        """Describe every bound that the layout exceeds."""
        crowded = [f"{folder}: {n} modules" for folder, n in self.modules.items() if n > limits.modules_per_folder]
        long = [f"{path}: {n} lines" for path, n in self.lines.items() if n > limits.lines_per_module]
        found = crowded + long
        if statistics.median(self.lines.values()) > limits.median_lines:
            found.append(f"median module: {statistics.median(self.lines.values()):.0f} lines")
        if self.verb_share < limits.verb_share:
            found.append(f"functions that begin with a verb: {self.verb_share:.1%}")
        return found


def measure_layout(root: Path = ROOT) -> Layout:
    """Read every module of the product packages under `root`."""
    paths = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    counted = [path for path in paths if path.name not in UNCOUNTED]
    return Layout(
        modules=dict(Counter(str(path.parent.relative_to(root)) for path in counted)),
        lines={str(path.relative_to(root)): len(path.read_text("utf-8").splitlines()) for path in counted},
        functions={str(path.relative_to(root)): list(list_functions(path.read_text("utf-8"))) for path in paths},
        verbs=read_verbs(),
    )


def list_functions(source: str) -> Iterator[str]:
    """Yield the names of a module's functions and methods that count."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        dunder = node.name.startswith("__") and node.name.endswith("__")
        if not dunder and not any(is_property(decorator) for decorator in node.decorator_list):
            yield node.name


def is_property(decorator: ast.expr) -> bool:
    """Whether a decorator turns a method into a property."""
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name in PROPERTY_DECORATORS


def read_verbs(path: Path = VERBS) -> frozenset[str]:
    """Read the list of verbs; lines that begin with `#` are comments."""
    lines = path.read_text("utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def format_table(layout: Layout) -> str:
    """Write the figures as a Markdown table."""
    folder, modules = max(layout.modules.items(), key=lambda item: item[1])
    longest, lines = max(layout.lines.items(), key=lambda item: item[1])
    rows = [
        ("modules", f"{len(layout.lines)} in {len(layout.modules)} folders"),
        ("most modules in one folder", f"{modules} (`{folder}`)"),
        ("lines of the median module", f"{statistics.median(layout.lines.values()):.0f}"),
        ("lines of the longest module", f"{lines} (`{longest}`)"),
        ("functions", f"{sum(map(len, layout.functions.values())):,}"),
        ("functions that begin with a verb", f"{layout.verb_share:.1%}"),
    ]
    return "\n".join(["| Measured | Value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main() -> int:
    """Print the requested figures; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the layout of the code.")
    parser.add_argument("--check", action="store_true", help="exit with status 1 if a bound is exceeded")
    parser.add_argument("--names", action="store_true", help="list the functions that do not begin with a verb")
    arguments = parser.parse_args()
    layout = measure_layout()
    print(format_table(layout))
    if arguments.names:
        for path, names in layout.nouns.items():
            print(f"{path}: {' '.join(names)}")
    violations = layout.find_violations(Limits()) if arguments.check else []
    for violation in violations:
        print(f"exceeded: {violation}", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
