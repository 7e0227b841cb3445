"""Names and order of the risk types and risk levels.

The order is a contract: it is the order of the head's logits, of the JSONL labels and of the arrays in
``policy.json``. A checkpoint contains its own taxonomy, so no other module may hard-code names or counts.
"""

from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.strict_json import StrictModel, parse_model, read_json_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """C risk types and L risk levels, from harmless to worst.

    Raises:
        ConfigError: names are empty or repeated, ``safe_type`` is not among the types, or there are fewer than two
            types or levels.
    """

    types: tuple[str, ...]
    """Risk types in logit order, the safe type among them."""

    levels: tuple[str, ...]
    """Risk levels in logit order; level 0 is harmless, the last one is the worst."""

    safe_type: str = "safe"
    """The type for "no risk"; its score alone never determines the decision."""

    def __post_init__(self) -> None:
        for kind, names in (("types", self.types), ("levels", self.levels)):
            if len(names) < 2:
                raise ConfigError(f"taxonomy.{kind}: at least two names are needed, got {len(names)}")
            if len(set(names)) != len(names) or not all(names):
                raise ConfigError(f"taxonomy.{kind}: names must be unique and non-empty, got {list(names)}")
        if self.safe_type not in self.types:
            raise ConfigError(f"taxonomy.safe_type: must be one of {list(self.types)}, got {self.safe_type!r}")

    @property
    def risky_types(self) -> tuple[str, ...]:
        """All types but the safe one, in logit order."""
        return tuple(name for name in self.types if name != self.safe_type)

    @property
    def safe_index(self) -> int:
        """Position of the safe type among the type logits."""
        return self.types.index(self.safe_type)

    @classmethod
    def parse(cls, data: object) -> "Taxonomy":
        """Read the ``taxonomy`` object of ``safevlm.json``; raises ConfigError if it is malformed."""
        document = parse_model(_TaxonomyDocument, data, where="taxonomy")
        return cls(types=tuple(document.types), levels=tuple(document.levels), safe_type=document.safe_type)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form that :meth:`parse` reads."""
        return {"types": list(self.types), "levels": list(self.levels), "safe_type": self.safe_type}


class _TaxonomyDocument(StrictModel):
    types: list[str]
    levels: list[str]
    safe_type: str = "safe"


DEFAULT_TAXONOMY = Taxonomy(
    types=("politics", "illegal", "insults_bullying", "fairness", "privacy", "misleading", "safe"),
    levels=("safe", "caution", "may_refuse", "refuse"),
)
"""The paper's seven types and four levels (PSA-VLM, section 3)."""


def read_taxonomy(file: Path | None) -> Taxonomy:
    """Read a JSON file with ``types``, ``levels`` and ``safe_type``; the default taxonomy without a file.

    Raises:
        ConfigError: the file cannot be read or is malformed.
    """
    return DEFAULT_TAXONOMY if file is None else Taxonomy.parse(read_json_object(file))
