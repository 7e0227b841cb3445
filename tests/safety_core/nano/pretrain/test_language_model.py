from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompts import PromptBuilder
from safety_core.nano.build.recipes import SHIPPED
from safety_core.nano.pretrain.language_model import (
    LanguageRecipe,
    Packed,
    Standardisation,
    fill,
    learning_rate,
    llava_config,
    look_for_likeness,
    naming_loss,
    pack,
    packed_inputs,
    packed_loss,
    tell_apart,
    train_language,
)
from safety_core.nano.pretrain.recipes import VisionRecipe
from safety_core.nano.pretrain.tokenizer import IMAGE_TOKEN, train_tokenizer
from safety_core.nano.pretrain.vision.tower import create_tower_config
from safety_core.nano.world.scene import GRID, SIDE

RECIPE = LanguageRecipe(hidden=16, layers=2, heads=2, intermediate=24, steps=99, polish_steps=3, warmup=1)
EYES = VisionRecipe(hidden=12, layers=2, heads=2)
ABOUT_ONE = [
    ("what is this?", "It is a dog."),
    ("read it", "It says: open."),
    ("count the dogs", "There are two dogs."),
]
ABOUT_OTHER = [("where is the cat?", "The cat is at the top left.")]
TALK = [("hello", "Hello! How can I help you?"), ("how do i bake a cake", "Sure.")]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(
        [f"USER: \n{q} ASSISTANT: {a}" for q, a in (*ABOUT_ONE, *ABOUT_OTHER, *TALK)], vocab_size=300
    )


@pytest.fixture(scope="module")
def builder(tokenizer: PreTrainedTokenizerFast) -> PromptBuilder:
    return PromptBuilder(tokenizer, tokenizer.vocab[IMAGE_TOKEN])


def newborn(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(llava_config(RECIPE, create_tower_config(EYES), tokenizer))
    model.eval()
    return model


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    return newborn(tokenizer)


@pytest.fixture
def pixels() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def features(model: LlavaForConditionalGeneration, pixels: Tensor) -> npt.NDArray[np.float16]:
    """What the build keeps of the frozen tower: its last layer without the class token, in 16 bit."""
    with torch.no_grad():
        states = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states
    kept: npt.NDArray[np.float16] = states[-1][:, 1:].numpy().astype(np.float16)
    return kept


@pytest.fixture
def batch(builder: PromptBuilder) -> list[Packed]:
    return [pack(builder, 1, ABOUT_ONE), pack(builder, None, TALK), pack(builder, 0, ABOUT_OTHER)]


def served_losses(
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    pixels: Tensor,
    picture: int | None,
    pairs: list[tuple[str, str]],
) -> Iterator[tuple[Tensor, int]]:
    """Sum of the answer's losses and its tokens, each question asked by itself through the whole LLaVA."""
    for question, answer in pairs:
        encoded = builder.encode([Turn(role="user", text=question)], int(picture is not None), answer=answer)
        ids, span = encoded.input_ids, encoded.answer_span
        assert span is not None
        expanded = [one for one in ids for _ in range(GRID**2 if one == builder.image_token_id else 1)]
        behind = len(ids) - span[0]
        logits = model(
            input_ids=torch.tensor([expanded]), pixel_values=None if picture is None else pixels[picture : picture + 1]
        ).logits[0]
        yield F.cross_entropy(logits[-behind - 1 : -1], torch.tensor(expanded[-behind:]), reduction="sum"), behind


def test_packed_questions_cost_what_they_cost_alone(
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    pixels: Tensor,
    features: npt.NDArray[np.float16],
    batch: list[Packed],
) -> None:
    loss, right = packed_loss(model, batch, features)
    with torch.no_grad():
        alone = [
            one
            for picture, pairs in ((1, ABOUT_ONE), (None, TALK), (0, ABOUT_OTHER))
            for one in served_losses(model, builder, pixels, picture, pairs)
        ]
    total = torch.stack([each for each, _ in alone]).sum() / sum(count for _, count in alone)
    # The kept features are rounded to 16 bit, the served ones are not.
    torch.testing.assert_close(loss, total, rtol=1e-4, atol=1e-4)
    assert 0 <= right <= 1


def test_packing_changes_neither_loss_nor_gradient(
    model: LlavaForConditionalGeneration, builder: PromptBuilder, features: npt.NDArray[np.float16], batch: list[Packed]
) -> None:
    projector = model.model.multi_modal_projector.linear_1.weight
    packed, _ = packed_loss(model, batch, features)
    (together,) = torch.autograd.grad(packed, projector)
    losses, gradients, tokens = [], [], []
    for picture, pairs in ((1, ABOUT_ONE), (None, TALK), (0, ABOUT_OTHER)):
        for pair in pairs:
            single = [pack(builder, picture, [pair])]
            (sequence,), _ = packed_inputs(model, single, features)
            tokens.append(sum(len(segment.answer) for segment in sequence.segments))
            loss, _ = packed_loss(model, single, features)
            losses.append(loss.detach() * tokens[-1])
            if picture is not None:
                gradients.append(torch.autograd.grad(loss, projector)[0] * tokens[-1])
    torch.testing.assert_close(packed.detach(), torch.stack(losses).sum() / sum(tokens), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(together, torch.stack(gradients).sum(dim=0) / sum(tokens), rtol=1e-4, atol=1e-6)


def test_folding_makes_raw_features_cost_what_standardised_ones_did(
    model: LlavaForConditionalGeneration, features: npt.NDArray[np.float16], batch: list[Packed]
) -> None:
    large = (features.astype(np.float32) * 30 + np.arange(features.shape[-1])).astype(np.float16)
    standardise = Standardisation.of(large)
    told = standardise(torch.from_numpy(large).float())
    torch.testing.assert_close(told.mean((0, 1)), torch.zeros(large.shape[-1]), rtol=0, atol=1e-4)
    torch.testing.assert_close(told.std((0, 1)), torch.ones(large.shape[-1]), rtol=0.01, atol=0)
    with torch.no_grad():
        trained, _ = packed_loss(model, batch, large, standardise)
        raw, _ = packed_loss(model, batch, large)
        standardise.fold(model.model.multi_modal_projector.linear_1)
        folded, _ = packed_loss(model, batch, large)
    torch.testing.assert_close(folded, trained, rtol=1e-5, atol=1e-5)
    assert abs(raw - trained) > 1e-4


@pytest.mark.parametrize(("picture", "pairs"), [(1, ABOUT_ONE), (None, TALK)])
def test_a_row_takes_what_fits(
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    features: npt.NDArray[np.float16],
    picture: int | None,
    pairs: list[tuple[str, str]],
) -> None:
    whole = pack(builder, picture, pairs)
    room = packed_inputs(model, [whole], features)[0][0].length
    assert fill(builder, picture, pairs, room) == whole
    shorter = fill(builder, picture, pairs, room - 1)
    assert 0 < len(shorter.questions) < len(pairs)
    assert packed_inputs(model, [shorter], features)[0][0].length < room
    assert fill(builder, picture, pairs, 1) == pack(builder, picture, pairs[:1])


def test_patches_are_drawn_towards_the_words_for_what_they_show(
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    tokenizer: PreTrainedTokenizerFast,
    features: npt.NDArray[np.float16],
    batch: list[Packed],
) -> None:
    standardise = Standardisation.of(features)
    assert naming_loss(model, batch, features, standardise) == 0
    (dog,) = tokenizer(" dog", add_special_tokens=False).input_ids
    names = (-100,) * (GRID**2 - 3) + (dog,) * 3
    row = fill(builder, 1, ABOUT_ONE, 1_000, names)
    assert row.names == names
    with torch.no_grad():
        model.lm_head.weight.mul_(50)  # as long as they become in training
    optimizer = torch.optim.AdamW(model.model.multi_modal_projector.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = naming_loss(model, [*batch, row], features, standardise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    with torch.no_grad():
        shown = standardise(torch.from_numpy(features[1:2]).float())
        projected = model.model.multi_modal_projector(shown)[0, -3:]
        nearest = F.linear(projected, model.lm_head.weight).argmax(-1)
    assert nearest.tolist() == [dog] * 3


def test_every_answer_is_learned_to_its_end(
    model: LlavaForConditionalGeneration, builder: PromptBuilder, features: npt.NDArray[np.float16], batch: list[Packed]
) -> None:
    sequences, embeds = packed_inputs(model, batch, features)
    assert [len(row) for row in embeds] == [sequence.length for sequence in sequences]
    tokenizer = builder.tokenizer
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    for sequence, pairs in zip(sequences, (ABOUT_ONE, TALK, ABOUT_OTHER), strict=True):
        learned = tokenizer.decode([token for segment in sequence.segments for token in segment.answer])
        assert learned == "".join(f" {answer}</s>" for _, answer in pairs)


def test_the_tower_feeds_its_last_layer(tokenizer: PreTrainedTokenizerFast) -> None:
    config = llava_config(RECIPE, create_tower_config(EYES), tokenizer)
    assert config.vision_feature_layer == -1
    assert config.image_token_id == tokenizer.vocab[IMAGE_TOKEN]
    assert config.image_seq_length == GRID**2


def test_the_shipped_backbone_has_the_size_that_is_asked_for(tokenizer: PreTrainedTokenizerFast) -> None:
    config = llava_config(SHIPPED.language, create_tower_config(SHIPPED.vision), tokenizer)
    text: Any = config.text_config
    text.vocab_size = SHIPPED.language.vocab
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    assert 6e6 <= sum(parameter.numel() for parameter in model.parameters()) <= 12e6


def test_a_fresh_model_looks_for_likeness(model: LlavaForConditionalGeneration) -> None:
    before = [layer.self_attn.k_proj.weight.clone() for layer in model.model.language_model.layers]
    look_for_likeness(model, scale=3)
    for layer, old in zip(model.model.language_model.layers, before, strict=True):
        torch.testing.assert_close(layer.self_attn.k_proj.weight, 3 * old)
        assert torch.equal(layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight)
        # Two parameters, not one: they part as they learn.
        assert layer.self_attn.q_proj.weight.data_ptr() != layer.self_attn.k_proj.weight.data_ptr()


def test_words_that_were_never_shown_are_told_apart() -> None:
    torch.manual_seed(0)
    embeddings = nn.Embedding(60, 16)
    with torch.no_grad():
        # What training leaves of words that it never shows: one direction, and hardly anything else.
        embeddings.weight[40:] = 2.0 * torch.ones(16) + 0.05 * torch.randn(20, 16)
    before = embeddings.weight.detach().clone()
    tell_apart(embeddings, set(range(40)))
    after = embeddings.weight.detach()
    assert torch.equal(after[:40], before[:40])
    # Being unsaid stays, and each word keeps what was its own, as much of it as a seen word has.
    shared = before[40:].mean(0)
    own, kept = before[40:] - shared, after[40:] - shared
    assert torch.cosine_similarity(own, kept, dim=1).min() > 0.999
    spread = (after[:40] - after[:40].mean(0)).norm(dim=1).mean()
    torch.testing.assert_close(kept.norm(dim=1), spread.expand(20))


def test_a_model_that_was_shown_every_word_stays_as_it_is() -> None:
    embeddings = nn.Embedding(8, 4)
    before = embeddings.weight.detach().clone()
    tell_apart(embeddings, range(8))
    assert torch.equal(embeddings.weight, before)


def test_the_learning_rate_rises_falls_and_drops_once() -> None:
    recipe = LanguageRecipe(steps=1000, warmup=10, drop_at=400)
    shares = [learning_rate(step, recipe) for step in range(recipe.steps)]
    assert shares[:9] == sorted(shares[:9])
    assert shares[9] == pytest.approx(0.991)
    assert shares[9:] == sorted(shares[9:], reverse=True)
    assert shares[400] == pytest.approx(0.3 * 0.6)
    assert shares[399] > 3 * shares[400]
    assert 0 < shares[-1] < 0.001


def test_polishing_is_a_second_and_lower_rise_and_fall() -> None:
    recipe = LanguageRecipe(steps=1000, polish_steps=500, warmup=10, drop_at=400)
    assert recipe.total_steps == 1500
    shares = [learning_rate(step, recipe) for step in range(recipe.steps, recipe.total_steps)]
    assert shares[:9] == sorted(shares[:9])
    assert max(shares) == pytest.approx(0.3, abs=0.01)
    assert shares[9:] == sorted(shares[9:], reverse=True)
    assert 0 < shares[-1] < 0.001


def test_words_keep_their_meaning_while_polishing(
    model: LlavaForConditionalGeneration, builder: PromptBuilder, features: npt.NDArray[np.float16], tmp_path: Path
) -> None:
    seen: list[torch.Tensor] = []

    def batches(first: int) -> Iterator[list[Packed]]:
        for _ in range(first, RECIPE.total_steps):
            seen.append(model.lm_head.weight.detach().clone())
            yield [pack(builder, 0, ABOUT_OTHER)]

    train_language(model, RECIPE, batches, features, Standardisation.of(features), tmp_path)
    moved = [not torch.equal(one, other) for one, other in pairwise(seen)]
    assert moved == [True] * RECIPE.steps + [False] * (RECIPE.polish_steps - 1)


def test_a_killed_run_ends_where_an_uninterrupted_one_does(
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    tokenizer: PreTrainedTokenizerFast,
    features: npt.NDArray[np.float16],
    tmp_path: Path,
) -> None:
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def batches(first: int) -> Iterator[list[Packed]]:
        for step in range(first, RECIPE.total_steps):
            yield [
                pack(builder, None, [Random(step).choice(TALK)]),
                *([pack(builder, 0, ABOUT_OTHER)] if step > 99 else []),
            ]

    standardise = Standardisation.of(features)
    whole = train_language(model, RECIPE, batches, features, standardise, tmp_path / "whole").state_dict()

    def kill(step: int, steps: int) -> None:
        assert steps == RECIPE.total_steps
        if step == 101:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_language(
            newborn(tokenizer),
            RECIPE,
            batches,
            features,
            Standardisation.of(features),
            tmp_path / "killed",
            progress=kill,
        )
    steps: list[int] = []
    resumed = train_language(
        newborn(tokenizer),
        RECIPE,
        batches,
        features,
        Standardisation.of(features),
        tmp_path / "killed",
        progress=lambda step, _: steps.append(step),
    ).state_dict()
    # Saved every hundred steps, so the step behind that is taken again.
    assert steps == [101, 102]
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    tower = [name for name in whole if "vision_tower" in name]
    assert tower
    assert all(torch.equal(whole[name], start[name]) for name in tower)
    assert any(not torch.equal(whole[name], start[name]) for name in whole if "projector" in name)
