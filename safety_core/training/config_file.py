"""Reads the config of a training run from a YAML file, ``field=value`` assignments and command line flags."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from safety_core.errors import ConfigError, FieldError
from safety_core.strict_yaml import Document, read_document
from safety_core.training.config import TrainConfig


def load_config(
    file: Path | str | None = None, assignments: Sequence[str] = (), flags: Mapping[str, object] | None = None
) -> TrainConfig:
    """Combine the sources of a config; later sources win.

    Args:
        file: YAML file with any of the fields.
        assignments: ``field=value`` or ``safety.head.num_heads=4``; values are read as YAML.
        flags: fields by name; None stands for a flag that was not given.

    Raises:
        ConfigError: a field is unknown, missing, mistyped or out of range; with its line if the file sets it.
    """
    document = None if file is None else _read_mapping(Path(file))
    values = parse_assignments(assignments, None if document is None else document.data)
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    # The attribute has an underscore because ``lambda`` is a keyword in Python.
    if "lambda" in values:
        values["lambda_"] = values.pop("lambda")
    try:
        return TrainConfig.model_validate(values)
    except FieldError as exc:
        if document is not None and _sets_value(document, exc.place, values):
            raise document.create_error(exc.place, exc.problem) from exc
        raise


def parse_assignments(assignments: Sequence[str], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Merge ``field.inner=value`` assignments into nested mappings; raises ConfigError for malformed assignments."""
    values = {str(name): value for name, value in (base or {}).items()}
    for assignment in assignments:
        path, sign, text = assignment.partition("=")
        if not sign:
            raise ConfigError(f"{assignment!r}: field=value is needed")
        _assign(values, path.strip().split("."), _parse_value(text, path))
    return values


def _read_mapping(file: Path) -> Document:
    document = read_document(file)
    if not isinstance(document.data, dict):
        raise document.create_error((), "a mapping is needed")
    return document


def _sets_value(document: Document, place: Sequence[str], values: Mapping[str, Any]) -> bool:
    """Whether the value of a field comes from the file."""
    return bool(place) and place[0] in document.data and document.data[place[0]] is values.get(place[0])


def _parse_value(text: str, path: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path}: the value cannot be read as YAML") from exc


def _assign(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        inner = values.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{'.'.join(path)}: {name} has no fields")
        values = inner
    values[path[-1]] = value
