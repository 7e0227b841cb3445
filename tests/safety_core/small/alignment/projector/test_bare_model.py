import pytest
import torch

from safety_core.inputs.conversation import Turn
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.projector.bare_model import quicken_language_model


def test_a_bare_model_has_no_safety_modules_and_learns_nothing(backbone: SafeLlava) -> None:
    assert not list(backbone.safety.parameters())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert backbone.positions_per_image == backbone.projected_positions


def test_it_prompts_in_the_tokenizers_own_format(backbone: SafeLlava) -> None:
    encoded = backbone.prompts.encode([Turn(role="user", text="What is this?")], 1, answer="A dome.")
    text = backbone.tokenizer.decode(encoded.input_ids)
    assert "<|im_start|>assistant" in text
    assert encoded.answer_span is not None


@pytest.mark.parametrize("fast", [True, False])
def test_only_the_language_model_is_quickened(model: SafeLlava, monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: fast)
    quicken_language_model(model)
    core = model.backbone.model
    assert core.get_input_embeddings().weight.dtype == (torch.bfloat16 if fast else torch.float32)
    assert core.multi_modal_projector.linear_1.weight.dtype == torch.float32
    assert core.vision_tower.classifier.weight.dtype == torch.float32
