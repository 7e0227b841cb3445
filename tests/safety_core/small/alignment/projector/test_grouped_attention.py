import pytest
import torch
from torch import nn

from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.projector.grouped_attention import (
    attend_in_groups,
    use_grouped_attention,
    use_standard_attention,
)


def make_mask(length: int) -> torch.Tensor:
    return torch.full((length, length), torch.finfo(torch.float32).min).triu(1)[None, None]


def test_it_computes_what_pytorch_computes() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 6, 5, 8), torch.randn(2, 3, 5, 8), torch.randn(2, 3, 5, 8)
    found, _ = attend_in_groups(nn.Module(), query, key, value, make_mask(5))
    expected = nn.functional.scaled_dot_product_attention(
        query, key.repeat_interleave(2, 1), value.repeat_interleave(2, 1), attn_mask=make_mask(5)
    )
    torch.testing.assert_close(found, expected.transpose(1, 2))


def test_a_mask_is_needed() -> None:
    heads = torch.zeros(1, 2, 3, 4)
    with pytest.raises(ValueError, match="mask"):
        attend_in_groups(nn.Module(), heads, heads, heads, None)


def test_a_language_model_computes_the_same_with_it(model: SafeLlava) -> None:
    language_model = model.backbone.model.language_model
    torch.manual_seed(0)
    embeds = torch.randn(2, 7, 32)

    def run() -> torch.Tensor:
        mask = make_mask(7).expand(2, -1, -1, -1)
        states: torch.Tensor = language_model(inputs_embeds=embeds, attention_mask=mask).last_hidden_state
        return states

    expected = run()
    use_grouped_attention(language_model)
    torch.testing.assert_close(run(), expected, rtol=1e-4, atol=1e-5)
    use_standard_attention(language_model)
    assert torch.equal(run(), expected)
