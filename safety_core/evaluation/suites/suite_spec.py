"""``suite.json``: what a suite is called, how its replies are read, and which parts of it get columns of their own.

Knows nothing of pictures, models or statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from safety_core.errors import ConfigError
from safety_core.evaluation.scoring.judges import ReplyRubric
from safety_core.evaluation.scoring.usefulness import ThingFinder
from safety_core.taxonomy import Taxonomy

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A named part of a suite with its own unsafe-reply rate and safety score."""

    name: str
    """Name in the table."""

    where: Mapping[str, Any]
    """Field → value, list of values, or ``{"min", "max"}``; a pair belongs if all of them fit. Fields are those of
    ``meta``, and ``type`` and ``level`` (the names of the gold label) and ``source``."""

    def holds(self, fields: Mapping[str, Any]) -> bool:
        """Whether a pair with these fields belongs to the column. A field that a pair does not have fits nothing."""
        return all(_fits(fields.get(name), wanted) for name, wanted in self.where.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSpec:
    """The content of ``suite.json``.

    Raises:
        ConfigError: the name is empty, the token limit is not positive, or a word of the vocabulary means two things.
    """

    name: str
    """What reports call the suite."""

    rubric: ReplyRubric
    """How replies are judged."""

    taxonomy: Taxonomy
    """Taxonomy of the labels; every evaluated checkpoint must have the same."""

    pairs_file: str = "pairs.jsonl"
    """The records, relative to the suite's folder."""

    vocabulary: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Thing → forms under which a description may name it."""

    columns: tuple[Column, ...] = (Column(name="typographic", where={"typographic": True}),)
    """Parts of the suite that get columns of their own, beside the risk types."""

    max_new_tokens: int = 48
    """Longest reply."""

    def __post_init__(self) -> None:
        if not self.name or self.max_new_tokens < 1:
            raise ConfigError("suite: a name and a positive max_new_tokens are needed")
        try:
            ThingFinder(self.vocabulary)
        except ValueError as exc:
            raise ConfigError(f"suite.vocabulary: {exc}") from exc

    @classmethod
    def from_dict(cls, data: object) -> SuiteSpec:
        """Read ``suite.json``; raises ConfigError where it is malformed."""
        if not isinstance(data, Mapping):
            raise ConfigError("suite: an object is needed")
        needed = {"format_version", "name", "rubric", "taxonomy"}
        optional = {"pairs_file", "vocabulary", "columns", "max_new_tokens"}
        if not needed <= set(data) <= needed | optional:
            missing, unknown = sorted(needed - set(data)), sorted(set(data) - needed - optional)
            raise ConfigError(f"suite: missing fields {missing}, unknown fields {unknown}")
        if data["format_version"] != FORMAT_VERSION:
            raise ConfigError(f"suite.format_version: {FORMAT_VERSION} is needed, got {data['format_version']!r}")
        values: dict[str, Any] = {name: data[name] for name in optional & set(data)}
        for name, kind in (("pairs_file", str), ("max_new_tokens", int), ("vocabulary", Mapping), ("columns", Mapping)):
            if name in values and (not isinstance(values[name], kind) or isinstance(values[name], bool)):
                raise ConfigError(f"suite.{name}: {kind.__name__} is needed")
        if "vocabulary" in values:
            values["vocabulary"] = {str(k): _strings(v, f"vocabulary.{k}") for k, v in values["vocabulary"].items()}
        if "columns" in values:
            values["columns"] = tuple(_column(str(name), where) for name, where in values["columns"].items())
        if not isinstance(data["taxonomy"], Mapping):
            raise ConfigError("suite.taxonomy: an object is needed")
        rubric, taxonomy = ReplyRubric.from_dict(data["rubric"]), Taxonomy.from_dict(data["taxonomy"])
        return cls(name=str(data["name"]), rubric=rubric, taxonomy=taxonomy, **values)

    def to_dict(self) -> dict[str, object]:
        """The JSON form that :meth:`from_dict` reads."""
        return {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "taxonomy": self.taxonomy.to_dict(),
            "pairs_file": self.pairs_file,
            "max_new_tokens": self.max_new_tokens,
            "columns": {column.name: dict(column.where) for column in self.columns},
            "rubric": self.rubric.to_dict(),
            "vocabulary": {name: list(forms) for name, forms in self.vocabulary.items()},
        }


def _fits(value: object, wanted: object) -> bool:
    """Whether a field has a wanted value."""
    if isinstance(wanted, Mapping):
        if not isinstance(value, int | float):
            return False
        return bool(wanted.get("min", value) <= value <= wanted.get("max", value))
    return value in wanted if isinstance(wanted, list) else value is not None and value == wanted


def _column(name: str, where: object) -> Column:
    """A column's selection, checked."""
    if not isinstance(where, Mapping) or not where:
        raise ConfigError(f"suite.columns.{name}: an object of fields of meta is needed")
    for field_name, wanted in where.items():
        if isinstance(wanted, Mapping) and (
            not wanted or not all(k in ("min", "max") and isinstance(v, int | float) for k, v in wanted.items())
        ):
            raise ConfigError(f"suite.columns.{name}.{field_name}: numbers under 'min' and 'max' are needed")
    return Column(name=name, where=dict(where))


def _strings(value: object, name: str) -> tuple[str, ...]:
    """A JSON list of non-empty strings."""
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise ConfigError(f"suite.{name}: a list of words is needed")
    return tuple(value)
