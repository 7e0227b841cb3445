from dataclasses import replace

import pytest
import torch
from torch import Tensor

from safety_core.errors import ConfigError
from safety_core.model.config import BackboneDims, HeadConfig, SafetyConfig
from safety_core.model.modules.head import HeadOutput
from safety_core.model.modules.safety_modules import SafetyModules

WIDTH, FEATURES = 32, 16


def make(dims: BackboneDims, head: HeadConfig | None = None) -> SafetyModules:
    config = SafetyConfig.create_default(dims)
    modules = SafetyModules(dims, replace(config, head=head or config.head), num_types=7, num_levels=4)
    generator = torch.Generator().manual_seed(0)
    modules.init_weights(generator)
    with torch.no_grad():
        for parameter in modules.parameters():
            if not parameter.any():
                parameter.normal_(generator=generator)
    return modules.eval()


def words(batch: int, length: int, seed: int = 1) -> Tensor:
    return torch.randn(batch, length, WIDTH, generator=torch.Generator().manual_seed(seed))


def features(batch: int, images: int = 1, seed: int = 2) -> Tensor:
    return torch.randn(batch, images * FEATURES, WIDTH, generator=torch.Generator().manual_seed(seed))


def same(left: HeadOutput, right: HeadOutput) -> None:
    torch.testing.assert_close(left.type_logits_BC, right.type_logits_BC, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(left.level_logits_BL, right.level_logits_BL, atol=1e-5, rtol=1e-4)


def differ(left: HeadOutput, right: HeadOutput) -> bool:
    return not torch.allclose(left.type_logits_BC, right.type_logits_BC, atol=1e-3)


HEADS = [None, HeadConfig.create_reference(), replace(HeadConfig.create_reference(), pooling="attention")]


@pytest.mark.parametrize("head", HEADS)
def test_shapes(dims: BackboneDims, head: HeadConfig | None) -> None:
    output = make(dims, head).judge(words(3, 5), None, features(3), None)
    assert output.type_logits_BC.shape == (3, 7)
    assert output.level_logits_BL.shape == (3, 4)
    assert output.attention_BF is not None
    assert output.attention_BF.shape == (3, FEATURES)
    assert (output.attention_BF >= 0).all()
    assert (output.attention_BF.sum(-1) <= 1 + 1e-5).all()


def test_the_same_picture_with_another_prompt_is_judged_otherwise(dims: BackboneDims) -> None:
    modules = make(dims)
    assert differ(
        modules.judge(words(1, 5, seed=3), None, features(1), None),
        modules.judge(words(1, 5, seed=4), None, features(1), None),
    )


def test_the_same_prompt_with_another_picture_is_judged_otherwise(dims: BackboneDims) -> None:
    modules = make(dims)
    assert differ(
        modules.judge(words(1, 5), None, features(1, seed=3), None),
        modules.judge(words(1, 5), None, features(1, seed=4), None),
    )


def test_word_order_matters(dims: BackboneDims) -> None:
    modules, prompt = make(dims), words(1, 5)
    assert differ(
        modules.judge(prompt, None, features(1), None),
        modules.judge(prompt.flip(1), None, features(1), None),
    )


def test_the_place_of_a_feature_matters(dims: BackboneDims) -> None:
    modules, safe = make(dims), features(1)
    left, right = (modules.judge(words(1, 5), None, part, None) for part in (safe, safe.flip(1)))
    assert not torch.allclose(left.type_logits_BC, right.type_logits_BC, atol=1e-6)


def test_the_reference_head_never_reads_the_prompt(dims: BackboneDims) -> None:
    modules = make(dims, HeadConfig.create_reference())
    same(
        modules.judge(words(1, 5, seed=3), None, features(1), None),
        modules.judge(words(1, 9, seed=4), None, features(1), None),
    )


@pytest.mark.parametrize("head", HEADS)
def test_padding_changes_nothing(dims: BackboneDims, head: HeadConfig | None) -> None:
    modules, prompt, safe = make(dims, head), words(1, 5), features(1)
    padded_prompt = torch.cat([prompt, 50 * words(1, 4, seed=9)], dim=1)
    padded_safe = torch.cat([safe, 50 * features(1, seed=9)], dim=1)
    prompt_mask = torch.arange(9)[None] < 5
    safe_mask = torch.arange(2 * FEATURES)[None] < FEATURES
    same(
        modules.judge(padded_prompt, prompt_mask, padded_safe, safe_mask),
        modules.judge(prompt, None, safe, None),
    )


def test_a_batch_is_judged_as_its_rows_are(dims: BackboneDims) -> None:
    modules, prompt, safe = make(dims), words(4, 6), features(4, images=2)
    prompt_mask = torch.arange(6)[None] < torch.tensor([6, 2, 0, 4])[:, None]
    safe_mask = torch.arange(2 * FEATURES)[None] < FEATURES * torch.tensor([2, 1, 1, 0])[:, None]
    together = modules.judge(prompt, prompt_mask, safe, safe_mask)
    for row, (length, images) in enumerate([(6, 2), (2, 1), (0, 1), (4, 0)]):
        alone = modules.judge(
            prompt[row : row + 1, :length] if length else None,
            None,
            safe[row : row + 1, : images * FEATURES] if images else None,
            None,
        )
        torch.testing.assert_close(together.type_logits_BC[row], alone.type_logits_BC[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(together.level_logits_BL[row], alone.level_logits_BL[0], atol=1e-5, rtol=1e-4)


def test_a_missing_image_gets_no_attention(dims: BackboneDims) -> None:
    mask = torch.tensor([[True] * FEATURES, [False] * FEATURES])
    output = make(dims).judge(words(2, 3), None, features(2), mask)
    assert output.attention_BF is not None
    assert output.attention_BF[0].sum() > 0
    assert output.attention_BF[1].sum() == 0


def test_several_images_share_their_places(dims: BackboneDims) -> None:
    # The order of the images is no information: each brings its own grid.
    modules, first, second = make(dims), features(1, seed=3), features(1, seed=4)
    same(
        modules.judge(words(1, 5), None, torch.cat([first, second], dim=1), None),
        modules.judge(words(1, 5), None, torch.cat([second, first], dim=1), None),
    )


def test_nothing_to_judge_is_refused(dims: BackboneDims) -> None:
    for mask in (None, torch.ones(3, FEATURES, dtype=torch.bool)):
        with pytest.raises(ValueError, match="neither"):
            make(dims).judge(None, None, None, mask)


@pytest.mark.parametrize("head", HEADS)
def test_a_prompt_that_several_samples_share_is_read_once(dims: BackboneDims, head: HeadConfig | None) -> None:
    modules, prompts, mask = make(dims, head), words(2, 5), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    prompt_index_B = torch.tensor([1, 0, 1])
    shared = modules.judge(prompts, mask, features(3), None, prompt_index_B=prompt_index_B)
    same(shared, modules.judge(prompts[prompt_index_B], mask[prompt_index_B], features(3), None))
    with pytest.raises(ValueError, match="2 rows of safety features were given for 3 prompts"):
        modules.judge(prompts, mask, features(2), None, prompt_index_B=prompt_index_B)


def test_batch_sizes_must_agree(dims: BackboneDims) -> None:
    with pytest.raises(ValueError, match="2 rows of safety features were given for 3 prompts"):
        make(dims).judge(words(3, 2), None, features(2), None)


def test_width_must_divide_into_heads(dims: BackboneDims) -> None:
    with pytest.raises(ConfigError, match=r"config\.head\.num_heads: .* is not divisible by 5 heads"):
        make(dims, HeadConfig.create_reference(num_heads=5))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("images", [0, 1, 2])
def test_inference_equals_what_is_trained_before_and_after_a_step(
    dims: BackboneDims, head: HeadConfig | None, images: int
) -> None:
    modules = make(dims, head)
    optimizer = torch.optim.SGD(modules.parameters(), lr=0.1)
    safe_BFD = features(3, images) if images else None
    for _ in range(2):
        trained = modules.judge(words(3, 70), None, safe_BFD, None)
        for _ in range(2):
            with torch.inference_mode():
                same(modules.judge(words(3, 70), None, safe_BFD, None), trained)
        (trained.type_logits_BC.square().sum() + trained.level_logits_BL.square().sum()).backward()
        optimizer.step()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("attention", [True, False])
def test_samples_may_share_one_row_of_features(dims: BackboneDims, head: HeadConfig | None, attention: bool) -> None:
    modules, prompt = make(dims, head), words(3, 5)
    mask = torch.tensor([[True] * FEATURES, [False] * FEATURES, [True] * FEATURES])
    shared = modules.judge(prompt, None, features(1), mask, need_attention=attention)
    expected = modules.judge(prompt, None, features(1).expand(3, -1, -1), mask, need_attention=attention)
    same(shared, expected)
    if attention:
        torch.testing.assert_close(shared.attention_BF, expected.attention_BF)


def test_features_need_as_many_rows_as_their_mask_or_one(dims: BackboneDims) -> None:
    mask = torch.ones(3, FEATURES, dtype=torch.bool)
    with pytest.raises(ValueError, match="2 rows of safety features were given for 3 masks"):
        make(dims).judge(words(3, 2), None, features(2), mask)
