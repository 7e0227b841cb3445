"""``suite.json``: the name of a suite, the rubric for its replies, and the parts that get separate columns.

Knows nothing of images, models or statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from safety_core.errors import ConfigError
from safety_core.evaluation.scoring.judges import ReplyRubric
from safety_core.evaluation.scoring.usefulness import ThingFinder
from safety_core.strict_json import StrictModel, parse_model
from safety_core.taxonomy import Taxonomy

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A named part of a suite with its own unsafe-reply rate and safety score."""

    name: str
    """Name in the table."""

    where: Mapping[str, object]
    """Field → value, list of values, or ``{"min", "max"}``; a pair belongs to the column if all of them fit. Fields are
    those of ``meta``, and ``type`` and ``level`` (the names of the gold label) and ``source``."""

    def matches(self, fields: Mapping[str, object]) -> bool:
        """Whether a pair with these fields belongs to the column. A missing field matches nothing."""
        return all(_fits(fields.get(name), condition) for name, condition in self.where.items())


def _fits(value: object, condition: object) -> bool:
    """Whether the value of a field is one of those wanted."""
    if isinstance(condition, Mapping):
        if not isinstance(value, int | float):
            return False
        return bool(condition.get("min", value) <= value <= condition.get("max", value))
    return value is not None and (value in condition if isinstance(condition, list) else value == condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSpec:
    """The content of ``suite.json``.

    Raises:
        ConfigError: the name is empty, the token limit is not positive, or a form of the vocabulary names two things.
    """

    name: str
    """Name in reports."""

    rubric: ReplyRubric
    """How replies are judged."""

    taxonomy: Taxonomy
    """Taxonomy of the labels; every evaluated checkpoint must have the same."""

    pairs_file: str = "pairs.jsonl"
    """The records, relative to the suite's folder."""

    vocabulary: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Thing → forms that name it in a description."""

    columns: tuple[Column, ...] = (Column(name="typographic", where={"typographic": True}),)
    """Parts of the suite with columns of their own, beside the risk types."""

    max_new_tokens: int = 48
    """Longest reply in tokens."""

    def __post_init__(self) -> None:
        if not self.name or self.max_new_tokens < 1:
            raise ConfigError("suite: a name and a positive max_new_tokens are needed")
        try:
            ThingFinder(self.vocabulary)
        except ValueError as exc:
            raise ConfigError(f"suite.vocabulary: {exc}") from exc

    @classmethod
    def parse(cls, data: object, *, where: str = "suite") -> SuiteSpec:
        """Read the content of ``suite.json``.

        Args:
            data: the content.
            where: begins the message of an error.

        Raises:
            ConfigError: the content is malformed.
        """
        document = parse_model(_SuiteDocument, data, where=where)
        return cls(
            name=document.name,
            rubric=ReplyRubric.parse(document.rubric, where=f"{where}.rubric"),
            taxonomy=Taxonomy.parse(document.taxonomy),
            pairs_file=document.pairs_file,
            vocabulary={name: tuple(forms) for name, forms in document.vocabulary.items()},
            columns=tuple(Column(name=name, where=fields) for name, fields in document.columns.items()),
            max_new_tokens=document.max_new_tokens,
        )

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form that :meth:`parse` reads."""
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


def _check_selection(condition: object) -> object:
    """Accept any value but an object other than ``{"min", "max"}``."""
    if isinstance(condition, dict) and (
        not condition
        or not all(key in ("min", "max") and isinstance(bound, int | float) for key, bound in condition.items())
    ):
        raise ValueError("numbers under 'min' and 'max' are needed")
    return condition


def _check_column(fields: dict[str, object]) -> dict[str, object]:
    if not fields:
        raise ValueError("an object of fields of meta is needed")
    return fields


_Forms = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
_Column = Annotated[dict[str, Annotated[object, AfterValidator(_check_selection)]], AfterValidator(_check_column)]


class _SuiteDocument(StrictModel):
    """The content of ``suite.json``."""

    format_version: Literal[1]
    name: str
    rubric: dict[str, object]
    taxonomy: dict[str, object]
    pairs_file: str = "pairs.jsonl"
    vocabulary: dict[str, _Forms] = Field(default_factory=dict)
    columns: dict[str, _Column] = Field(default={"typographic": {"typographic": True}})
    max_new_tokens: int = 48
