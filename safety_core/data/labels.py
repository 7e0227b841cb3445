"""Labels of the categories of public data sets: common labels, and the lookup of a category in a taxonomy.

The common labels follow the paper's supplement (arXiv 2405.13581): politics and illegal refuse, bullying and fairness
may be answered with care, misleading is answered correctly. If a set is more specific than its category (VLGuard's
unsafe instruction, RTVLM's advice), the set decides.
"""

import json
import re
from collections.abc import Mapping

from pydantic import RootModel, StrictInt, StrictStr

from safety_core.data.raw_samples import NamedLabel
from safety_core.data.samples import RiskLabel
from safety_core.errors import ConfigError
from safety_core.strict_json import parse_model
from safety_core.taxonomy import Taxonomy

SAFE: NamedLabel = ("safe", 0)
ILLEGAL: NamedLabel = ("illegal", 3)
POLITICS: NamedLabel = ("politics", 3)
PRIVACY: NamedLabel = ("privacy", 3)
BULLYING: NamedLabel = ("insults_bullying", 2)
FAIRNESS: NamedLabel = ("fairness", 2)
ADVICE: NamedLabel = ("misleading", 2)
"""Advice that belongs to a professional: legal, financial or medical."""

MISLEADING: NamedLabel = ("misleading", 1)


_LONGEST = 60
"""Most characters of a category that is quoted in a message: a wrong column may contain texts."""


class _LabelFile(RootModel[dict[str, tuple[StrictStr, StrictInt]]]):
    """``{"category": ["type", level]}``."""


def parse_labels(data: Mapping[str, object]) -> dict[str, NamedLabel]:
    """Validate ``{"category": ["type", level]}`` as a label table; raises ConfigError if it is malformed."""
    return parse_model(_LabelFile, data, where="labels").root


def assign_label(label: NamedLabel, *categories: str) -> dict[str, NamedLabel]:
    """Give several categories the same label."""
    return dict.fromkeys(categories, label)


def list_labels(labels: Mapping[str, NamedLabel]) -> list[tuple[NamedLabel, list[str]]]:
    """List each label of a table with its categories, in the table's order."""
    categories: dict[NamedLabel, list[str]] = {}
    for category, label in labels.items():
        categories.setdefault(label, []).append(category)
    return list(categories.items())


def parse_level(level: int | str, taxonomy: Taxonomy) -> int:
    """Read the number or the name of a level; raises ValueError, without quoting it, if it is neither."""
    name = str(level).strip()
    if name in taxonomy.levels:
        return taxonomy.levels.index(name)
    if name.isdecimal() and int(name) < len(taxonomy.levels):
        return int(name)
    raise ValueError(f"a level from 0 to {len(taxonomy.levels) - 1}, or one of {list(taxonomy.levels)}, is needed")


class LabelTable:
    """Labels of categories in a taxonomy, looked up by name, ignoring case and punctuation.

    Args:
        defaults: the data set's labels.
        overrides: the user's labels, which take precedence.
        taxonomy: bounds of the labels.
    """

    def __init__(
        self, defaults: Mapping[str, NamedLabel], overrides: Mapping[str, NamedLabel], taxonomy: Taxonomy
    ) -> None:
        self._tables = [
            {_normalize_category(name): label for name, label in table.items()} for table in (overrides, defaults)
        ]
        self._known = sorted({*defaults, *overrides})
        self._taxonomy = taxonomy

    def find_label(self, category: str, level: int | None = None) -> RiskLabel:
        """Find the label of a category, or of its parent category.

        Args:
            category: the category's name. With a level, the name of a risk type is enough.
            level: replaces the level of the table.

        Raises:
            ConfigError: the category has no label, or its label is not in the taxonomy.
        """
        label = self._look_up(category, level)
        if label is not None:
            return self._build_label(category, *label)
        if len(category) > _LONGEST:
            raise ConfigError(f"labels: a text of {len(category)} characters stands in the place of a category")
        raise ConfigError(
            f"labels: category {category!r} has no label; known are {self._known}. "
            f'Give it one with --labels FILE: {{{json.dumps(category)}: ["type", level]}}'
        )

    def has_label(self, category: str, level: int | None = None) -> bool:
        """Whether :meth:`find_label` finds a label."""
        return self._look_up(category, level) is not None

    def _look_up(self, category: str, level: int | None) -> NamedLabel | None:
        names = dict.fromkeys((_normalize_category(category), _normalize_category(category.partition("/")[0])))
        for table in self._tables:
            for name in names:
                if name in table:
                    risk_type, usual = table[name]
                    return risk_type, usual if level is None else level
        types = {_normalize_category(risk_type): risk_type for risk_type in self._taxonomy.types}
        return next(((types[name], level) for name in names if name in types and level is not None), None)

    def _build_label(self, category: str, risk_type: str, level: int) -> RiskLabel:
        taxonomy = self._taxonomy
        if risk_type not in taxonomy.types or not 0 <= level < len(taxonomy.levels):
            raise ConfigError(f"labels.{category}: ({risk_type!r}, {level}) is not in the taxonomy")
        return RiskLabel(type=taxonomy.types.index(risk_type), level=level)


def _normalize_category(category: str) -> str:
    """Convert a category's name to lower case, with single spaces between words; ``/`` is kept."""
    return re.sub(r"[^\w/]+|_", " ", category.lower()).strip()
