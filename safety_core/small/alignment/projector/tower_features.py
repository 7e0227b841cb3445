"""Features of photographs, computed once and kept on disk, and the classes that the tower sees in them.

Shapes: B photographs · N places · V features of a place · C classes.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from safety_core.data.sample_images import build_image_table
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import ConfigError
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.samples.photos import SeenClasses
from safety_core.small.corpus.records import Record
from safety_core.taxonomy import DEFAULT_TAXONOMY
from safety_core.training.batches.feature_cache import FeatureCache

_POSSIBLE = 0.02
"""Probability from which a class may be shown, in the whole photograph or in one place."""

_BATCH = 64
"""Photographs that are read from disk at once."""

_HARMLESS = RiskLabel(type=DEFAULT_TAXONOMY.safe_index, level=0)


class TowerFeatures:
    """The features that LLaVA's projector reads, of any photograph.

    Args:
        model: the model whose tower computes them.
        folder: folder that keeps them.
    """

    def __init__(self, model: SafeLlava, folder: Path) -> None:
        self.cache = FeatureCache(folder, model)
        self._model = model

    def read(self, photographs: Sequence[Path]) -> Tensor:
        """Read feat_BNV of photographs; computes what is not on disk.

        Raises:
            SampleError: a photograph is unreadable.
        """
        table = build_image_table(
            Sample(id=path.name, images=(path,), conversation=(), label=_HARMLESS, file=str(path))
            for path in photographs
        )
        self.cache.fill(table)
        stored = self.cache.bind(table).fetch([rows[0] for rows in table.rows])
        return stored.layers[-1].to(self._model.device, torch.float32)


def get_classifier(model: SafeLlava) -> nn.Linear:
    """Return the classifier of the vision tower; raises ConfigError if the tower has none."""
    classifier = getattr(model.backbone.model.vision_tower, "classifier", None)
    if not isinstance(classifier, nn.Linear):
        raise ConfigError("the backbone's vision tower has no classifier, so it cannot name photographs")
    return classifier


@torch.no_grad()
def see_classes(model: SafeLlava, records: Sequence[Record], features: TowerFeatures) -> dict[str, SeenClasses]:
    """Find the classes that the tower sees in each photograph, by the record's id.

    Raises:
        ConfigError: the tower has no classifier.
        SampleError: a photograph is unreadable.
    """
    classifier = get_classifier(model)
    shown = [(record.id, record.photo) for record in records if record.photo is not None]
    seen: dict[str, SeenClasses] = {}
    for start in range(0, len(shown), _BATCH):
        batch = shown[start : start + _BATCH]
        feat_BNV = features.read([path for _, path in batch])
        whole_BC = classifier(feat_BNV.mean(1)).softmax(-1)
        most_BC = torch.maximum(whole_BC, classifier(feat_BNV).softmax(-1).amax(1))
        for (key, _), scores_C, most_C in zip(batch, whole_BC, most_BC, strict=True):
            confidence, best = scores_C.max(0)
            possible = frozenset((most_C >= _POSSIBLE).nonzero().flatten().tolist()) | {int(best)}
            seen[key] = SeenClasses(best=int(best), confidence=float(confidence), possible=possible)
    return seen
