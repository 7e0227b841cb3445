"""Records and items for tests of the evaluation on real words and photographs; every text is invented."""

from pathlib import Path
from typing import Any

from PIL import Image

from safety_core.data.raw_samples import NamedLabel
from safety_core.policy.policy import Decision
from safety_core.small.corpus.records import Record
from safety_core.small.evaluation.items.columns import Column
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.systems.system import Score

SAFE: NamedLabel = ("safe", 0)
HARMFUL: NamedLabel = ("illegal", 3)


def make_record(source: str, name: str, label: NamedLabel | None = SAFE, **fields: Any) -> Record:
    """A record of the test split; ``name`` is its text, its id and its group, unless fields say otherwise."""
    defaults: dict[str, Any] = {"surface": "both", "text": name, "group": f"{source}/{name}", "split": "test"}
    return Record(id=f"{source}/{name}", source=source, label=label, **{**defaults, **fields})


def make_photograph(folder: Path, source: str, name: str, label: NamedLabel | None = SAFE, **fields: Any) -> Record:
    """A record of a photograph, which is written into a folder."""
    photo = folder / f"{source}-{name}.jpg"
    Image.new("RGB", (64, 48), (sum(map(ord, name)) % 256, 90, 140)).save(photo)
    return make_record(source, name, label, **{"text": "", "surface": "photo", "photo": photo, **fields})


def make_item(name: str, column: Column = "harmful", label: NamedLabel = HARMFUL, **fields: Any) -> Item:
    """An item of one column."""
    defaults: dict[str, Any] = {"group": name, "prompt": name}
    return Item(id=f"{column}/{name}", columns=(column,), label=label, **{**defaults, **fields})


def make_score(decision: Decision = Decision.ALLOWED, risk: float | None = None, **fields: Any) -> Score:
    """A score whose risk fits its decision."""
    usual = {Decision.ALLOWED: 0.1, Decision.CAUTIONED: 0.6, Decision.REFUSED: 0.9}[decision]
    return Score(risk=usual if risk is None else risk, decision=decision, **fields)
