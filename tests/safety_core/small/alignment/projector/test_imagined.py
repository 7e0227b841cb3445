from pathlib import Path

import pytest
import torch

from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.naming.naming_rule import contains_name
from safety_core.small.alignment.projector.imagined import Imagination
from safety_core.small.alignment.projector.tower_features import get_classifier
from tests.helpers.models.tiny_alignment import list_tiny_classes
from tests.helpers.models.tiny_convolutional import GRID, VISION_WIDTH


@pytest.fixture
def imagination(backbone: SafeLlava) -> Imagination:
    return Imagination(backbone, get_classifier(backbone), list_tiny_classes())


def test_the_tower_takes_most_pictures_for_the_class_that_is_named(
    backbone: SafeLlava, imagination: Imagination
) -> None:
    torch.manual_seed(0)
    batch = imagination.imagine(torch.rand(30, GRID**2, VISION_WIDTH), "seed")
    best_B = get_classifier(backbone)(batch.feat_BNV.mean(1)).argmax(1)
    classes, right = list_tiny_classes(), 0
    for best, encoded in zip(best_B.tolist(), batch.encoded, strict=True):
        assert encoded.answer_span is not None
        answer = str(backbone.tokenizer.decode(encoded.input_ids[slice(*encoded.answer_span)]))
        right += contains_name(answer, classes[best].names)
    assert right > 15


def test_a_key_decides_everything(imagination: Imagination) -> None:
    feat_BNV = torch.rand(3, GRID**2, VISION_WIDTH)
    one, same, other = (imagination.imagine(feat_BNV, key) for key in ("1", "1", "2"))
    assert torch.equal(one.feat_BNV, same.feat_BNV)
    assert one.encoded == same.encoded
    assert one.encoded != other.encoded


def test_every_class_needs_a_name(backbone: SafeLlava) -> None:
    with pytest.raises(ValueError, match="9 names were given for 10 classes"):
        Imagination(backbone, get_classifier(backbone), list_tiny_classes()[1:])


def test_features_stay_in_the_towers_range(imagination: Imagination, tmp_path: Path) -> None:
    batch = imagination.imagine(torch.rand(4, GRID**2, VISION_WIDTH), "seed")
    assert float(batch.feat_BNV.min()) >= 0
