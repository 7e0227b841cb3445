"""Packed products against those of the modules, and the models whose weights are not packed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from transformers import DynamicCache

from safety_core.model import layer_products
from safety_core.model.layer_products import ModuleProducts, PackedModel, PackedProducts, can_pack, pack_worthwhile
from safety_core.model.llama_step import run_quick_step
from tests.helpers.models.tiny import make_backbone, make_tokenizer

pytestmark = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN has no bfloat16 on this processor"
)

ROWS, WIDTH = 3, 32


@pytest.fixture(scope="module")
def backbone() -> Any:
    return make_backbone(make_tokenizer())


@contextmanager
def allow_any_size(monkeypatch: pytest.MonkeyPatch, *, native: bool = True) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(layer_products, "SMALLEST_BYTES", 0)
        patch.setattr(layer_products, "multiplies_bfloat16", lambda: native)
        yield


@torch.inference_mode()
def test_packed_products_are_those_of_the_modules(backbone: Any) -> None:
    layer = backbone.model.language_model.layers[0]
    modules, packed = ModuleProducts(layer), PackedProducts(layer)
    rows_R1D = torch.randn(ROWS, 1, WIDTH)
    for name in ("project_heads", "project_attended", "run_mlp"):
        made = getattr(packed, name)(rows_R1D)
        assert made.dtype == rows_R1D.dtype
        torch.testing.assert_close(made, getattr(modules, name)(rows_R1D), rtol=0.02, atol=0.02)


@torch.inference_mode()
def test_biases_are_packed_where_a_layer_has_one() -> None:
    with_bias, without = nn.Linear(WIDTH, 5), nn.Linear(WIDTH, 4, bias=False)
    rows_R1D = torch.randn(ROWS, 1, WIDTH)
    made = layer_products.PackedLinear([with_bias, without])(rows_R1D).float()
    torch.testing.assert_close(made, torch.cat((with_bias(rows_R1D), without(rows_R1D)), dim=-1), rtol=0.02, atol=0.02)


@torch.inference_mode()
def test_a_packed_step_is_close_to_the_step(backbone: Any) -> None:
    text_model = backbone.model.language_model
    embeds, positions = torch.randn(ROWS, 1, WIDTH), torch.zeros(ROWS, 1, dtype=torch.long)
    mask = torch.ones(ROWS, 1, 1, 1, dtype=torch.bool)
    slow = run_quick_step(text_model, embeds, positions, mask, DynamicCache())
    packed = run_quick_step(text_model, embeds, positions, mask, DynamicCache(), PackedModel(backbone).layers)
    torch.testing.assert_close(packed, slow, rtol=0.02, atol=0.02)


@torch.inference_mode()
def test_a_row_does_not_depend_on_the_others(backbone: Any) -> None:
    packed = PackedModel(backbone).lm_head
    rows_RD = torch.randn(ROWS, WIDTH)
    expected = packed(rows_RD)
    broken = rows_RD.clone()
    broken[0] = float("nan")
    assert torch.equal(packed(broken)[1:], expected[1:])


def test_weights_are_packed_where_it_is_worthwhile(backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pack_worthwhile(backbone) is None  # too small
    with allow_any_size(monkeypatch, native=False):
        assert pack_worthwhile(backbone) is None
    with allow_any_size(monkeypatch):
        assert pack_worthwhile(backbone) is not None
        monkeypatch.setattr(layer_products, "LARGEST_BYTES", 1000)
        assert pack_worthwhile(backbone) is None


def test_only_plain_linear_layers_are_packed() -> None:
    hooked = make_backbone(make_tokenizer())
    assert can_pack(hooked)
    handle = hooked.lm_head.register_forward_hook(lambda *_: None)
    assert not can_pack(hooked)
    handle.remove()
    adapted: Any = hooked.model.language_model.layers[1].mlp
    adapted.up_proj = nn.Sequential(adapted.up_proj)
    adapted.up_proj.weight = adapted.up_proj[0].weight
    assert not can_pack(hooked)
