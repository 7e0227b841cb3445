"""Validates JSON and other untyped data strictly: unknown, missing and mistyped fields are errors that name the field.

Messages contain field names, never values. Knows no document types.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from safety_core.errors import ConfigError
from safety_core.files import describe_read_error, read_json

Place = tuple[str, ...]
"""Keys that lead to a field from the top of a document; items of lists by their index."""

_KEY_MARK = "[key]"
"""Pydantic's last location item if a key of a mapping is invalid, not its value."""

_PROBLEMS = {
    "missing": "the field is missing",
    "extra_forbidden": "unknown field",
    "bool_type": "true or false is needed",
    "int_type": "an integer is needed",
    "float_type": "a number is needed",
    "finite_number": "a finite number is needed",
    "greater_than": "a number greater than {gt:g} is needed",
    "greater_than_equal": "a number of at least {ge:g} is needed",
    "less_than": "a number less than {lt:g} is needed",
    "less_than_equal": "a number of at most {le:g} is needed",
    "string_type": "a string is needed",
    "string_too_short": "a string of at least {min_length} characters is needed",
    "string_too_long": "at most {max_length} characters are accepted",
    "string_unicode": "a string without lone surrogates is needed; write characters directly, not as escapes",
    "list_type": "a list is needed",
    "tuple_type": "a list is needed",
    "too_short": "a list of at least {min_length} entries is needed",
    "too_long": "at most {max_length} entries are accepted",
}
"""Our messages for pydantic's error types, formatted with the error's context, which contains the schema's limits."""

_PROBLEMS_OF_ONE = {
    "string_too_short": "a non-empty string is needed",
    "string_too_long": "at most one character is accepted",
    "too_short": "a list of at least one entry is needed",
    "too_long": "at most one entry is accepted",
}
"""Our messages if the limit is 1."""

_WRONG_CHOICE = frozenset({"literal_error", "enum"})

_NOT_AN_OBJECT = frozenset({"dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"})

ModelT = TypeVar("ModelT", bound=BaseModel)


class StrictModel(BaseModel):
    """Base of models that accept only declared fields, with exactly the declared types: no string becomes a number.

    In strict mode, enum fields need ``Field(strict=False)``, and lists are declared as ``list``, not ``tuple``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field of a document."""

    place: Place
    """Keys that lead to the field; empty for the document itself."""

    problem: str
    """What is needed instead; does not quote the value."""

    def __str__(self) -> str:
        return ": ".join(filter(None, (".".join(self.place), self.problem)))


def find_problem(error: ValidationError, *, container: str = "an object") -> FieldProblem:
    """Translate the first error of a validation; if it is a missing field, name all missing fields of the same object.

    Args:
        error: the error of pydantic.
        container: name of a group of fields in the document's format: ``an object`` in JSON, ``a mapping`` in YAML.
    """
    errors = error.errors(include_url=False, include_input=False)
    place = _get_place(errors[0])
    if errors[0]["type"] == "missing":
        missing = [_get_place(other) for other in errors if other["type"] == "missing"]
        *names, last = [field[-1] for field in missing if field[:-1] == place[:-1]]
        if names:
            return FieldProblem(place[:-1], f"the fields {', '.join(names)} and {last} are missing")
    return FieldProblem(place, _describe(errors[0], container))


def parse_model(model: type[ModelT], data: object, *, where: str, context: object = None) -> ModelT:
    """Validate untyped data.

    Args:
        model: the expected document.
        data: its content.
        where: beginning of the message, before the dotted name of the field: the file, or the part of a file, with the
            data.
        context: passed to the model's validators.

    Raises:
        ConfigError: the data is invalid; the message names the first invalid field.
    """
    try:
        return model.model_validate(data, context=context)
    except ValidationError as exc:
        problem = find_problem(exc)
        raise ConfigError(f"{'.'.join((where, *problem.place))}: {problem.problem}") from exc


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that contains an object.

    Raises:
        ConfigError: the file cannot be read, is not JSON (the message contains the line), or does not contain an
            object.
    """
    data = _read_json(path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: an object is needed")
    return data


def read_json_list(path: Path) -> list[Any]:
    """Read a JSON file that contains a list; raises ConfigError as :func:`read_json_object` does."""
    data = _read_json(path)
    if not isinstance(data, list):
        raise ConfigError(f"{path}: a list is needed")
    return data


def merge_mappings(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings field by field, at any depth; for values other than mappings, the change replaces the base."""
    merged = dict(base)
    for key, change in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(change, Mapping):
            change = merge_mappings(old, change)
        merged[key] = change
    return merged


def _read_json(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: {describe_read_error(exc, 'JSON')}") from exc


def _get_place(error: ErrorDetails) -> Place:
    return tuple(str(part) for part in error["loc"] if part != _KEY_MARK)


def _describe(error: ErrorDetails, container: str) -> str:
    if error["type"] in _NOT_AN_OBJECT:
        return f"{container} is needed"
    context = error.get("ctx", {})
    if error["type"] == "value_error":  # raised by our own validators
        return str(context["error"])
    if error["type"] in _WRONG_CHOICE:  # pydantic lists the values as "'a', 'b' or 'c'"
        values, _, last = context["expected"].rpartition(" or ")
        return f"must be one of [{values}, {last}]" if values else f"must be {last}"
    if 1 in (context.get("min_length"), context.get("max_length")) and error["type"] in _PROBLEMS_OF_ONE:
        return _PROBLEMS_OF_ONE[error["type"]]
    known = _PROBLEMS.get(error["type"])
    return error["msg"] if known is None else known.format_map(context)
