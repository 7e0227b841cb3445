from pathlib import Path

import pytest
import torch
from torch import nn

from safety_core.errors import ConfigError
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.projector.tower_features import TowerFeatures, get_classifier, see_classes
from safety_core.small.corpus.records import Record
from tests.helpers.datasets.world_folder import write_photo
from tests.helpers.models.tiny_convolutional import CLASSES, GRID, VISION_WIDTH


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(found):
        write_photo(path, number)
    return found


def test_features_are_those_of_the_tower_and_stay_on_disk(
    backbone: SafeLlava, paths: list[Path], tmp_path: Path
) -> None:
    feat_BNV = TowerFeatures(backbone, tmp_path / "features").read([paths[1], paths[0], paths[1]])
    assert feat_BNV.shape == (3, GRID**2, VISION_WIDTH)
    assert torch.equal(feat_BNV[0], feat_BNV[2])
    again = TowerFeatures(backbone, tmp_path / "features")
    assert len(again.cache) == 2
    assert torch.equal(again.read([paths[0]])[0], feat_BNV[1])


def test_the_most_probable_class_is_seen(backbone: SafeLlava, paths: list[Path], tmp_path: Path) -> None:
    features = TowerFeatures(backbone, tmp_path / "features")
    records = [Record(id=f"coco/{path.stem}", source="coco", surface="photo", label=None, photo=path) for path in paths]
    seen = see_classes(backbone, records, features)
    scores_BC = get_classifier(backbone)(features.read(paths).mean(1)).softmax(-1)
    for record, scores_C in zip(records, scores_BC, strict=True):
        found = seen[record.id]
        assert found.best == int(scores_C.argmax())
        assert found.confidence == pytest.approx(float(scores_C.max()), rel=1e-4)
        assert found.best in found.possible <= set(range(CLASSES))


def test_a_tower_without_a_classifier_names_nothing(model: SafeLlava) -> None:
    model.backbone.model.vision_tower.classifier = nn.Identity()
    with pytest.raises(ConfigError, match="no classifier"):
        get_classifier(model)
