"""YAML files that people write by hand: read with the line of every field, so that a mistake can be pointed at.

Knows nothing of what any file means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from safety_core.errors import ConfigError
from safety_core.files import read_text, why_unreadable

Place = tuple[str, ...]
"""Keys that lead to a field, each as a string; items of lists by their number."""

_MAX_FIELDS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says, and where."""

    name: str
    """The file, for errors."""

    data: Any
    """Its content; None where it is empty."""

    lines: Mapping[Place, int]
    """Line of each field, from 1."""

    def line_of(self, place: Sequence[str]) -> int:
        """Line of a field, or of what it stands in where it was not written itself."""
        inner = tuple(place)
        while inner and inner not in self.lines:
            inner = inner[:-1]
        return self.lines.get(inner, 1)

    def error(self, place: Sequence[str], problem: str) -> ConfigError:
        """What is wrong with a field, as ``file:line: dotted.name: problem``."""
        field = f"{'.'.join(place)}: " if place else ""
        return ConfigError(f"{self.name}:{self.line_of(place)}: {field}{problem}")


def read_document(path: Path) -> Document:
    """A YAML file.

    Raises:
        ConfigError: it cannot be read, is no YAML, holds itself, or has a field twice; with its line where it has one.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path.name} {why_unreadable(exc)}") from exc
    return parse_document(text, path.name)


def parse_document(text: str, name: str) -> Document:
    """YAML text; raises ConfigError as :func:`read_document` does."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        lines: dict[Place, int] = {}
        if root is not None:
            _walk(root, (), lines, name, frozenset())
        data = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        raise ConfigError(f"{name}:{1 if mark is None else mark.line + 1}: cannot be read as YAML") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise ConfigError(f"{name}: cannot be read as YAML") from exc
    finally:
        if loader is not None:
            loader.dispose()
    return Document(name=name, data=data, lines=lines)


def _walk(node: yaml.Node, place: Place, lines: dict[Place, int], name: str, above: frozenset[int]) -> None:
    line = node.start_mark.line + 1
    lines.setdefault(place, line)
    if id(node) in above:
        raise ConfigError(f"{name}:{line}: an anchor holds itself")
    if len(lines) > _MAX_FIELDS:  # anchors in anchors: a few lines can stand for billions
        raise ConfigError(f"{name}: more than {_MAX_FIELDS} fields")
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*place, str(index)), lines, name, above | {id(node)})
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{name}:{line}: a field's name must be a word")
            field = (*place, key.value)
            if key.value in seen:  # YAML would silently take the last one
                raise ConfigError(f"{name}:{line}: {'.'.join(field)}: written twice")
            seen.add(key.value)
            lines[field] = line
            _walk(value, field, lines, name, above | {id(node)})
