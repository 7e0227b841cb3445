"""What the parts do together: one vision pass, real conditioning on the prompt, an untouched backbone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from bench.contenders.reference import generate
from safety_core.errors import PromptError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.config import HeadConfig
from safety_core.model.safe_llava import SafeLlava
from safety_core.scores import PairScores, RiskScores
from tests.helpers.models.reference import as_turns, assess, forward_answers, score_features
from tests.helpers.models.tiny import create_model

PROMPTS = ["What is in the picture?", "How do I hurt someone with it?", "Read the text, and then answer with care."]


def encode(model: SafeLlava, prompts: list[str], images: list[int], **extra: Any) -> list[EncodedPrompt]:
    return [
        model.prompts.encode(as_turns(prompt), count, **extra) for prompt, count in zip(prompts, images, strict=True)
    ]


@contextmanager
def counted(module: torch.nn.Module) -> Iterator[list[int]]:
    """The batch size of each forward call of a module."""
    calls: list[int] = []

    def count(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = args[0] if args else kwargs.get("pixel_values", kwargs.get("inputs_embeds"))
        calls.append(len(given) if given is not None else 0)

    handle = module.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield calls
    finally:
        handle.remove()


def close(left: RiskScores | None, right: RiskScores | None) -> None:
    assert left is not None
    assert right is not None
    torch.testing.assert_close(torch.tensor(left.types), torch.tensor(right.types), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.tensor(left.levels), torch.tensor(right.levels), atol=1e-5, rtol=1e-4)


def all_close(left: PairScores, right: PairScores) -> None:
    for surface in ("joint", "image", "text"):
        one, other = getattr(left, surface), getattr(right, surface)
        assert (one is None) == (other is None)
        if one is not None:
            close(one, other)
    for one, other in zip(left.per_image, right.per_image, strict=True):
        close(one, other)


# --- one pass ------------------------------------------------------------------------------------------------------


def test_a_guarded_chat_sends_each_image_through_the_tower_once(model: SafeLlava, pictures: list[Image.Image]) -> None:
    with counted(model.backbone.model.vision_tower) as calls:
        found = assess(model, [pictures[:3]], [PROMPTS[0]])
        encoded = encode(model, [PROMPTS[0]], [3])
        generate(model, encoded, found.vision, found.images_per_sample, max_new_tokens=3)
    assert sum(calls) == 3
    assert len(calls) == 1


def test_judging_never_runs_the_language_model(model: SafeLlava, pictures: list[Image.Image]) -> None:
    with counted(model.backbone.model.language_model) as calls:
        assess(model, [pictures[:2], []], [PROMPTS[0], PROMPTS[1]])
    assert calls == []


# --- the backbone stays itself -------------------------------------------------------------------------------------


def unmodified_logits(
    backbone: LlavaForConditionalGeneration, prompt: EncodedPrompt, pixels: torch.Tensor
) -> torch.Tensor:
    """The way transformers does it: one placeholder id per patch, pixels in."""
    image, patches = backbone.config.image_token_id, 16
    ids = [token for known in prompt.input_ids for token in [known] * (patches if known == image else 1)]
    with torch.no_grad():
        logits: torch.Tensor = backbone(input_ids=torch.tensor([ids]), pixel_values=pixels).logits
    return logits


@pytest.mark.parametrize(
    ("switches", "inject"), [({"num_safety_tokens": 0}, True), ({}, False), ({"use_llm_tokens": False}, True)]
)
def test_with_zero_safety_tokens_the_logits_are_unmodified_llavas(
    tokenizer: PreTrainedTokenizerFast, pictures: list[Image.Image], switches: dict[str, Any], inject: bool
) -> None:
    model = create_model(tokenizer, **switches)
    pixels = model.preprocess(pictures[:2])
    prompt = encode(model, [PROMPTS[0]], [2])[0]
    inputs = model.build_inputs([prompt], model.encode_images(pixels), [2], inject=inject)
    with torch.no_grad():
        ours = model.backbone(
            inputs_embeds=inputs.embeds_BTD, attention_mask=inputs.mask_BT, position_ids=inputs.position_ids_BT
        ).logits
    torch.testing.assert_close(ours, unmodified_logits(model.backbone, prompt, pixels), atol=1e-5, rtol=1e-5)


def test_greedy_replies_are_unmodified_llavas(tokenizer: PreTrainedTokenizerFast, pictures: list[Image.Image]) -> None:
    model = create_model(tokenizer, use_llm_tokens=False)
    pixels = model.preprocess(pictures[:1])
    prompt = encode(model, [PROMPTS[0]], [1])[0]
    ids = [token for known in prompt.input_ids for token in [known] * (16 if known == 3 else 1)]
    backbone: Any = model.backbone  # transformers types generate() so that no model may call it
    expected = backbone.generate(
        input_ids=torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        pixel_values=pixels,
        max_new_tokens=8,
        do_sample=False,
    )[0, len(ids) :]
    reply = generate(model, [prompt], model.encode_images(pixels), [1], max_new_tokens=8)[0]
    assert list(reply.token_ids) == expected.tolist()


def test_safety_tokens_ride_in_front_of_each_image(model: SafeLlava, pictures: list[Image.Image]) -> None:
    vision = model.encode_images(model.preprocess(pictures[:2]))
    prompt = encode(model, [PROMPTS[0]], [2])[0]
    plain = model.build_inputs([prompt], vision, [2], inject=False).embeds_BTD[0]
    guarded = model.build_inputs([prompt], vision, [2]).embeds_BTD[0]
    tokens = model.safety.llm_tokens_SD
    assert tokens is not None
    assert len(guarded) == len(plain) + 2 * len(tokens)
    first = prompt.image_positions[0]
    torch.testing.assert_close(guarded[first : first + len(tokens)], tokens)
    torch.testing.assert_close(guarded[first + len(tokens)], vision.projected_BPD[0, 0])


def test_injection_may_differ_within_a_batch(model: SafeLlava, pictures: list[Image.Image]) -> None:
    vision = model.encode_images(model.preprocess(pictures[:2]))
    prompts = encode(model, [PROMPTS[0]] * 2, [1, 1])
    mask = model.build_inputs(prompts, vision, [1, 1], inject=[True, False]).mask_BT
    assert (mask.sum(1)[0] - mask.sum(1)[1]).item() == model.config.num_safety_tokens


def test_without_an_image_no_token_is_inserted(model: SafeLlava) -> None:
    prompt = encode(model, [PROMPTS[0]], [0])
    assert model.build_inputs(prompt, None, [0]).embeds_BTD.shape[1] == len(prompt[0].input_ids)


def test_a_missing_image_is_loud(model: SafeLlava, pictures: list[Image.Image]) -> None:
    vision = model.encode_images(model.preprocess(pictures[:1]))
    with pytest.raises(ValueError, match="2 image placeholders were encoded for 1 images"):
        model.build_inputs(encode(model, [PROMPTS[0]], [2]), vision, [1])


# --- the guard reads picture and prompt ----------------------------------------------------------------------------


def test_two_prompts_for_one_picture_are_judged_differently(model: SafeLlava, pictures: list[Image.Image]) -> None:
    first, second = assess(model, [pictures[:1]] * 2, [PROMPTS[0], PROMPTS[1]]).pairs
    assert first.joint is not None
    assert second.joint is not None
    assert max(abs(a - b) for a, b in zip(first.joint.types, second.joint.types, strict=True)) > 1e-3
    close(first.image, second.image)


def test_two_pictures_for_one_prompt_are_judged_differently(model: SafeLlava, pictures: list[Image.Image]) -> None:
    first, second = assess(model, [pictures[:1], pictures[1:2]], [PROMPTS[0]] * 2).pairs
    assert first.joint != second.joint
    close(first.text, second.text)


def test_padding_and_batching_change_no_score(model: SafeLlava, pictures: list[Image.Image]) -> None:
    images: list[list[Image.Image]] = [pictures[:1], pictures[1:4], [], pictures[:2], []]
    prompts = [PROMPTS[0], PROMPTS[2], PROMPTS[1], None, "hi"]
    together = assess(model, images, prompts).pairs
    for sample, pair in enumerate(together):
        all_close(pair, assess(model, [images[sample]], [prompts[sample]]).pairs[0])


def test_only_the_users_words_are_read(model: SafeLlava, pictures: list[Image.Image]) -> None:
    talk = [Turn(role="user", text="hi"), Turn(role="assistant", text="anything"), Turn(role="user", text="why")]
    other = [talk[0], Turn(role="assistant", text="something else entirely"), talk[2]]
    first, second = assess(model, [pictures[:1]] * 2, [talk, other]).pairs
    all_close(first, second)


def test_a_request_of_several_images_has_every_view(model: SafeLlava, pictures: list[Image.Image]) -> None:
    pair = assess(model, [pictures[:3]], [PROMPTS[0]], heatmap=True).pairs[0]
    assert len(pair.per_image) == len(pair.heatmaps) == 3
    assert len(pair.deciding) == 4
    assert all(len(row) == 4 for heatmap in pair.heatmaps for row in heatmap)
    assert all(weight >= 0 for heatmap in pair.heatmaps for row in heatmap for weight in row)
    alone = assess(model, [pictures[1:2]], [PROMPTS[0]]).pairs[0]
    close(pair.per_image[1], alone.joint)


def test_no_image_and_no_prompt_is_no_verdict(model: SafeLlava) -> None:
    assert assess(model, [[]], [None]).pairs[0].deciding == ()


def test_more_views_than_one_head_batch(
    model: SafeLlava, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = assess(model, [pictures], [PROMPTS[0]]).pairs[0]
    monkeypatch.setattr("safety_core.model.safe_llava.HEAD_BATCH", 2)
    all_close(assess(model, [pictures], [PROMPTS[0]]).pairs[0], expected)


def test_scoring_counts_images(model: SafeLlava) -> None:
    with pytest.raises(ValueError, match="0 images and 1 prompts"):
        score_features(model, None, [1], [[5]])


# --- switches for the ablations ------------------------------------------------------------------------------------


def test_the_reference_head_gives_every_prompt_the_same_verdict(
    tokenizer: PreTrainedTokenizerFast, pictures: list[Image.Image]
) -> None:
    model = create_model(tokenizer, head=HeadConfig.create_reference())
    first, second = assess(model, [pictures[:1]] * 2, [PROMPTS[0], PROMPTS[1]]).pairs
    close(first.joint, second.joint)


def test_without_a_head_nothing_is_judged_but_everything_is_answered(
    tokenizer: PreTrainedTokenizerFast, pictures: list[Image.Image]
) -> None:
    model = create_model(tokenizer, use_head=False)
    vision = model.encode_images(model.preprocess(pictures[:1]))
    with pytest.raises(ValueError, match="switched off"):
        score_features(model, vision, [1], [None])
    assert generate(model, encode(model, [PROMPTS[0]], [1]), vision, [1], max_new_tokens=2)[0].token_ids


def test_several_vision_layers_are_mixed_and_llava_still_reads_its_own(
    tokenizer: PreTrainedTokenizerFast, pictures: list[Image.Image]
) -> None:
    one, several = create_model(tokenizer), create_model(tokenizer, vision_layers=(-1, -2, 0))
    pixels = one.preprocess(pictures[:1])
    vision = several.encode_images(pixels)
    assert len(vision.layers) == 3
    torch.testing.assert_close(vision.projected_BPD, one.encode_images(pixels).projected_BPD)
    assert score_features(several, vision, [1], [None])[0].image is not None


# --- generation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_a_batch_replies_as_its_rows_do(model: SafeLlava, pictures: list[Image.Image], temperature: float) -> None:
    images = [1, 2, 0]
    vision = model.encode_images(model.preprocess(pictures[:3]))
    prompts = encode(model, PROMPTS, images)
    options: dict[str, Any] = {"max_new_tokens": 10, "temperature": temperature, "seed": 5}
    together = generate(model, prompts, vision, images, **options)
    alone = [
        generate(model, [prompts[0]], vision[:1], [1], **options)[0],
        generate(model, [prompts[1]], vision[1:3], [2], **options)[0],
        generate(model, [prompts[2]], None, [0], **options)[0],
    ]
    assert together == alone


def test_the_image_placeholder_is_never_said(tokenizer: PreTrainedTokenizerFast) -> None:
    model = create_model(tokenizer)
    image = model.backbone.config.image_token_id
    with torch.no_grad():
        model.backbone.lm_head.weight.zero_()
        model.backbone.lm_head.weight[image] = model.backbone.lm_head.weight.new_ones(32)
    replies = [
        generate(model, encode(model, [PROMPTS[0]], [0]), None, [0], max_new_tokens=4, temperature=1.0, seed=seed)[0]
        for seed in range(3)
    ]
    assert all(image not in reply.token_ids for reply in replies)


def test_a_conversation_longer_than_the_context_is_refused(model: SafeLlava, pictures: list[Image.Image]) -> None:
    vision = model.encode_images(model.preprocess(pictures[:1] * 40))
    with pytest.raises(PromptError, match="no room"):
        generate(model, encode(model, ["hi"], [40]), vision, [40])


# --- training ------------------------------------------------------------------------------------------------------


def test_the_loss_is_that_of_teacher_forcing_on_the_answer(model: SafeLlava, pictures: list[Image.Image]) -> None:
    vision = model.encode_images(model.preprocess(pictures[:1]))
    prompts = encode(model, [PROMPTS[0]], [1], answer="A red knife.")
    answers = [prompt.input_ids[slice(*prompt.answer_span)] for prompt in prompts if prompt.answer_span]
    output = forward_answers(model, prompts, vision, [1])
    assert output.labels_A.tolist() == answers[0]
    assert answers[0][-1] == model.tokenizer.eos_token_id
    inputs = model.build_inputs(prompts, vision, [1])
    labels = torch.full(inputs.mask_BT.shape, -100)
    labels[0, -len(answers[0]) :] = torch.tensor(answers[0])
    reference = model.backbone(inputs_embeds=inputs.embeds_BTD, attention_mask=inputs.mask_BT, labels=labels)
    torch.testing.assert_close(output.loss, reference.loss)


def test_the_loss_of_a_batch_is_the_mean_over_its_tokens(model: SafeLlava, pictures: list[Image.Image]) -> None:
    vision = model.encode_images(model.preprocess(pictures[:3]))
    prompts = [
        *encode(model, [PROMPTS[0]], [1], answer="A red knife and two green apples."),
        *encode(model, [PROMPTS[1]], [2], answer="No."),
        *encode(model, [PROMPTS[2]], [0], answer="hello"),
    ]
    together = forward_answers(model, prompts, vision, [1, 2, 0])
    alone = [
        forward_answers(model, prompts[:1], vision[:1], [1]),
        forward_answers(model, prompts[1:2], vision[1:3], [2]),
        forward_answers(model, prompts[2:], None, [0]),
    ]
    torch.testing.assert_close(together.logits_AW, torch.cat([part.logits_AW for part in alone]))
    total = sum(part.loss.item() * len(part.labels_A) for part in alone)
    assert together.loss.item() == pytest.approx(total / len(together.labels_A), rel=1e-5)


def test_a_prompt_without_an_answer_cannot_be_trained_on(model: SafeLlava) -> None:
    with pytest.raises(ValueError, match="without an answer"):
        forward_answers(model, encode(model, [PROMPTS[0]], [0]), None, [0])


def test_both_losses_reach_all_modules_and_share_none(
    tokenizer: PreTrainedTokenizerFast, pictures: list[Image.Image]
) -> None:
    model = create_model(tokenizer, vision_layers=(-1, -2))
    torch.nn.Module.requires_grad_(model.backbone, False)
    vision = model.encode_images(model.preprocess(pictures[:1]))
    forward_answers(model, encode(model, [PROMPTS[0]], [1], answer="yes"), vision, [1]).loss.backward()
    reached = {name for name, parameter in model.safety.named_parameters() if parameter.grad is not None}
    assert reached == {"llm_tokens_SD"}
    prompts = model.prompt_reader.read([tuple(model.prompts.encode_user_words(as_turns(PROMPTS[0])))])
    output = model.compute_head_logits(model.project_features(vision), prompts)
    (output.type_logits_BC.sum() + output.level_logits_BL.sum()).backward()
    silent = {name for name, parameter in model.safety.named_parameters() if parameter.grad is None}
    assert silent == set()


def test_hints_default_to_every_middle_level(model: SafeLlava) -> None:
    assert set(model.hints) == set(model.taxonomy.risky_types)
    assert all(set(levels) == {1, 2} for levels in model.hints.values())
