"""Reads YAML files that operators write, with the line of every field for error messages. Knows no document types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from safety_core.errors import ConfigError
from safety_core.files import describe_read_error, read_text
from safety_core.strict_json import ModelT, Place, find_problem

_MAX_FIELDS = 20_000
"""Maximum fields of one document, including those that aliases repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The content of a YAML file and the line of each field."""

    name: str
    """Name of the file, for error messages."""

    data: Any
    """Content of the file; None if the file is empty."""

    lines: Mapping[Place, int]
    """Line of each field, from 1."""

    def parse(self, model: type[ModelT], *, context: object = None) -> ModelT:
        """Validate the content; an empty document has no fields, and keys are converted to strings at any depth.

        Args:
            model: the expected document.
            context: passed to the model's validators.

        Raises:
            ConfigError: a field is invalid; the message names the first one and its line.
        """
        try:
            return model.model_validate({} if self.data is None else _stringify_keys(self.data), context=context)
        except ValidationError as exc:
            problem = find_problem(exc, container="a mapping")
            raise self.create_error(problem.place, problem.problem) from exc

    def find_line(self, place: Sequence[str]) -> int:
        """Return the line of a field, or of the mapping that it belongs to if the file does not contain the field."""
        inner = tuple(place)
        while inner and inner not in self.lines:
            inner = inner[:-1]
        return self.lines.get(inner, 1)

    def create_error(self, place: Sequence[str], problem: str) -> ConfigError:
        """Create the error for a field: ``file:line: dotted.name: problem``."""
        field = f"{'.'.join(place)}: " if place else ""
        return ConfigError(f"{self.name}:{self.find_line(place)}: {field}{problem}")


def read_document(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, contains itself through an alias, or has a field twice. The
            message contains the line if there is one.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path.name} {describe_read_error(exc)}") from exc
    return parse_document(text, path.name)


def parse_document(text: str, name: str) -> Document:
    """Parse YAML text; ``name`` identifies the document in messages. Raises as :func:`read_document` does."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        lines: dict[Place, int] = {}
        if root is not None:
            _record_lines(root, (), lines, name, frozenset())
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


def _stringify_keys(value: Any) -> Any:
    """Convert keys to strings: YAML parses the key 3 as a number and the key no as false."""
    if isinstance(value, Mapping):
        return {str(key): _stringify_keys(entry) for key, entry in value.items()}
    return [_stringify_keys(entry) for entry in value] if isinstance(value, list) else value


def _record_lines(node: yaml.Node, place: Place, lines: dict[Place, int], name: str, above: frozenset[int]) -> None:
    """Store the line of a node and of its descendants; ``above`` contains the ids of its ancestors."""
    line = node.start_mark.line + 1
    lines.setdefault(place, line)
    if id(node) in above:
        raise ConfigError(f"{name}:{line}: an anchor contains itself")
    if len(lines) > _MAX_FIELDS:  # nested aliases: a few lines can stand for billions of fields
        raise ConfigError(f"{name}: more than {_MAX_FIELDS} fields")
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _record_lines(item, (*place, str(index)), lines, name, above | {id(node)})
    elif isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{name}:{line}: a field name must be a string")
            field = (*place, key.value)
            if key.value in names:  # YAML would silently use the last one
                raise ConfigError(f"{name}:{line}: {'.'.join(field)}: the field occurs twice")
            names.add(key.value)
            lines[field] = line
            _record_lines(value, field, lines, name, above | {id(node)})
