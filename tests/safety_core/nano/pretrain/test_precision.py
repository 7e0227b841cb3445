import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from safety_core.nano.pretrain import precision
from safety_core.nano.pretrain.precision import has_bfloat16, use_32_bit_attention, use_mixed_precision


@pytest.fixture
def model() -> LlamaModel:
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        vocab_size=30,
    )
    model = LlamaModel(config)
    model.eval()
    return model


def test_a_processor_without_16_bit_units_trains_in_32_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    with use_mixed_precision("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    with use_mixed_precision("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_the_processor_is_asked() -> None:
    assert has_bfloat16("cpu") in (True, False)


def test_attention_is_the_same_and_stays_in_32_bit(model: LlamaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    mask = torch.ones(1, 1, 5, 5, dtype=torch.bool).tril()
    seen: list[torch.dtype] = []
    plain = torch.nn.functional.scaled_dot_product_attention

    def watched(query: torch.Tensor, *args: object, **options: object) -> torch.Tensor:
        seen.append(query.dtype)
        return plain(query, *args, **options)  # type: ignore[arg-type]

    with torch.no_grad():
        before = model(ids, attention_mask=mask).last_hidden_state
        with use_32_bit_attention(model):
            inside = model(ids, attention_mask=mask).last_hidden_state
            monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
            with torch.autocast("cpu", torch.bfloat16):
                half = model(ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(inside, before)
    assert set(seen) == {torch.float32}
    assert (half - before).abs().max() < 0.1


def test_models_attend_as_before_afterwards(model: LlamaModel) -> None:
    before = model.config._attn_implementation
    with use_32_bit_attention(model):
        assert model.config._attn_implementation != before
    assert model.config._attn_implementation == before
    with pytest.raises(KeyboardInterrupt), use_32_bit_attention(model):
        raise KeyboardInterrupt
    assert model.config._attn_implementation == before
