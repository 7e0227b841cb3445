from typing import Literal

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from safety_core.model.fingerprint import compute_tower_fingerprint
from safety_core.model.safe_llava import SafeLlava, create_untrained
from tests.helpers.models.tiny import make_backbone, make_image_processor


def build(
    tokenizer: PreTrainedTokenizerFast, *, strategy: Literal["default", "full"] = "default", seed: int = 0
) -> SafeLlava:
    backbone = make_backbone(tokenizer)
    backbone.config.vision_feature_select_strategy = strategy
    return create_untrained(backbone, tokenizer=tokenizer, image_processor=make_image_processor(), seed=seed)


@pytest.mark.parametrize("with_projector", [True, False])
def test_equal_towers_have_equal_fingerprints(tokenizer: PreTrainedTokenizerFast, with_projector: bool) -> None:
    one, other = build(tokenizer), build(tokenizer, seed=1)
    other.backbone.load_state_dict(one.backbone.state_dict())
    expected = compute_tower_fingerprint(one, with_projector=with_projector)
    assert compute_tower_fingerprint(other, with_projector=with_projector) == expected


def test_weights_and_preprocessing_change_the_fingerprint(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(tokenizer)
    found = {compute_tower_fingerprint(model, with_projector=False)}
    monkeypatch.setattr(model.image_processor, "image_mean", [0.1, 0.2, 0.3])
    found.add(compute_tower_fingerprint(model, with_projector=False))
    with torch.no_grad():
        next(model.backbone.model.vision_tower.parameters()).add_(1.0)
    found.add(compute_tower_fingerprint(model, with_projector=False))
    assert len(found) == 3


def test_projected_features_depend_on_the_projector_and_on_the_positions_that_it_reads(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = build(tokenizer)
    own, projected = (compute_tower_fingerprint(model, with_projector=both) for both in (False, True))
    model.backbone.config.vision_feature_select_strategy = "full"
    assert compute_tower_fingerprint(model, with_projector=False) == own
    strategy_changed = compute_tower_fingerprint(model, with_projector=True)
    with torch.no_grad():
        next(model.backbone.model.multi_modal_projector.parameters()).add_(1.0)
    assert compute_tower_fingerprint(model, with_projector=False) == own
    assert len({projected, strategy_changed, compute_tower_fingerprint(model, with_projector=True)}) == 3
