import numpy as np
import numpy.typing as npt
import torch
from transformers import LlavaForConditionalGeneration

from safety_core.nano.pretrain.language.losses import compute_answer_loss
from safety_core.nano.pretrain.language.rows import QuestionRow
from safety_core.nano.pretrain.language.standardisation import FeatureStandardisation


def test_folding_makes_raw_features_cost_what_standardised_ones_did(
    model: LlavaForConditionalGeneration, features: npt.NDArray[np.float16], batch: list[QuestionRow]
) -> None:
    large = (features.astype(np.float32) * 30 + np.arange(features.shape[-1])).astype(np.float16)
    standardise = FeatureStandardisation.measure(large)
    told = standardise(torch.from_numpy(large).float())
    torch.testing.assert_close(told.mean((0, 1)), torch.zeros(large.shape[-1]), rtol=0, atol=1e-4)
    torch.testing.assert_close(told.std((0, 1)), torch.ones(large.shape[-1]), rtol=0.01, atol=0)
    with torch.no_grad():
        trained, _ = compute_answer_loss(model, batch, large, standardise)
        raw, _ = compute_answer_loss(model, batch, large)
        standardise.fold(model.model.multi_modal_projector.linear_1)
        folded, _ = compute_answer_loss(model, batch, large)
    torch.testing.assert_close(folded, trained, rtol=1e-5, atol=1e-5)
    assert abs(raw - trained) > 1e-4
