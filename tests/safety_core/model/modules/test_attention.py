import pytest
import torch

from safety_core.model.modules.attention import AttentionPooling, ContextLayers, CrossAttention, KeyValues, rotate


def test_rotation_keeps_lengths_and_makes_products_relative() -> None:
    q_d, k_d = torch.randn(8), torch.randn(8)
    q_BhQd, k_BhQd = q_d.expand(1, 1, 6, 8), k_d.expand(1, 1, 6, 8)
    torch.testing.assert_close(rotate(q_BhQd).norm(dim=-1), q_BhQd.norm(dim=-1))
    product_QQ = (rotate(q_BhQd) @ rotate(k_BhQd).transpose(-1, -2))[0, 0]
    torch.testing.assert_close(product_QQ[1, 3], product_QQ[2, 4])
    assert not torch.isclose(product_QQ[1, 3], product_QQ[3, 1])


def test_context_knows_word_order() -> None:
    torch.manual_seed(0)
    context = ContextLayers(16, 8, num_layers=1, num_heads=2, dropout=0.0)
    words = torch.randn(1, 3, 16)
    mask = torch.ones(1, 3, dtype=torch.bool)
    output, swapped_output = context(words, mask), context(words[:, [0, 2, 1]], mask)
    assert not torch.allclose(output[:, 0], swapped_output[:, 0], atol=1e-4)


def test_context_ignores_padding() -> None:
    torch.manual_seed(0)
    context = ContextLayers(16, 8, num_layers=2, num_heads=2, dropout=0.0)
    words = torch.randn(1, 3, 16)
    padded = torch.cat([words, torch.randn(1, 2, 16) * 100], dim=1)
    mask = torch.tensor([[True, True, True, False, False]])
    torch.testing.assert_close(context(padded, mask)[:, :3], context(words, mask[:, :3]))


def test_cross_attention_weights_sum_to_one_over_real_keys() -> None:
    cross = CrossAttention(16, 4)
    mask = torch.tensor([[True, False, True]])
    _, weight_BQK = cross(torch.randn(1, 2, 16), cross.project(torch.randn(1, 3, 16)), mask)
    torch.testing.assert_close(weight_BQK.sum(-1), torch.ones(1, 2))
    assert (weight_BQK[..., 1] == 0).all()


def test_cross_attention_equals_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = CrossAttention(16, 4), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
    theirs.out_proj = ours.out  # type: ignore[assignment]  # a plain linear layer serves as well
    queries, keys = torch.randn(2, 3, 16), torch.randn(2, 5, 16)
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    expected, weights = theirs(queries, keys, keys, key_padding_mask=~mask)
    out, weight_BQK = ours(queries, ours.project(keys), mask)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(weight_BQK, weights)


def test_pooling_ignores_padding_even_where_it_is_not_finite() -> None:
    torch.manual_seed(0)
    pooling = AttentionPooling(16, 4)
    words = torch.randn(1, 3, 16)
    padded = torch.cat([words, torch.full((1, 1, 16), float("nan"))], dim=1)
    mask = torch.tensor([[True, True, True, False]])
    pooled, weights = pooling(padded, mask)
    torch.testing.assert_close(pooled, pooling(words, mask[:, :3])[0])
    torch.testing.assert_close(weights.sum(-1), torch.ones(1))


def test_cross_attention_says_the_same_without_its_weights() -> None:
    torch.manual_seed(0)
    cross = CrossAttention(16, 4)
    queries, looked_at = torch.randn(2, 3, 16), cross.project(torch.randn(2, 5, 16))
    mask = torch.tensor([[True] * 5, [True, True, False, True, False]])
    full, weights = cross(queries, looked_at, mask)
    fused, none = cross(queries, looked_at, mask, need_weights=False)
    torch.testing.assert_close(fused, full)
    assert weights is not None
    assert none is None


@pytest.mark.parametrize("weights", [True, False])
def test_rows_may_share_one_row_of_keys(weights: bool) -> None:
    torch.manual_seed(0)
    cross = CrossAttention(16, 4)
    queries, looked_at = torch.randn(3, 2, 16), cross.project(torch.randn(1, 5, 16))
    mask = torch.tensor([[True] * 5, [True, False, True, False, True], [False] * 4 + [True]])
    copied = KeyValues(*(part.expand(3, -1, -1).contiguous() for part in looked_at))
    shared, expected = (cross(queries, keys, mask, need_weights=weights) for keys in (looked_at, copied))
    torch.testing.assert_close(shared[0], expected[0])
    if weights:
        torch.testing.assert_close(shared[1], expected[1])
