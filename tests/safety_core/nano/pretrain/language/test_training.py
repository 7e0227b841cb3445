from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.nano.pretrain.language.rows import QuestionRow, pack_questions
from safety_core.nano.pretrain.language.standardisation import FeatureStandardisation
from safety_core.nano.pretrain.language.training import schedule_learning_rate, train_language_model
from safety_core.nano.pretrain.recipes import LanguageRecipe
from tests.helpers.models.nano_backbone import ABOUT_OTHER, RECIPE, TALK, make_model


def test_the_learning_rate_rises_falls_and_drops_once() -> None:
    recipe = LanguageRecipe(steps=1000, warmup=10, drop_at=400)
    shares = [schedule_learning_rate(step, recipe) for step in range(recipe.steps)]
    assert shares[:9] == sorted(shares[:9])
    assert shares[9] == pytest.approx(0.991)
    assert shares[9:] == sorted(shares[9:], reverse=True)
    assert shares[400] == pytest.approx(0.3 * 0.6)
    assert shares[399] > 3 * shares[400]
    assert 0 < shares[-1] < 0.001


def test_polishing_is_a_second_and_lower_rise_and_fall() -> None:
    recipe = LanguageRecipe(steps=1000, polish_steps=500, warmup=10, drop_at=400)
    assert recipe.total_steps == 1500
    shares = [schedule_learning_rate(step, recipe) for step in range(recipe.steps, recipe.total_steps)]
    assert shares[:9] == sorted(shares[:9])
    assert max(shares) == pytest.approx(0.3, abs=0.01)
    assert shares[9:] == sorted(shares[9:], reverse=True)
    assert 0 < shares[-1] < 0.001


def test_words_keep_their_meaning_while_polishing(
    model: LlavaForConditionalGeneration, builder: PromptBuilder, features: npt.NDArray[np.float16], tmp_path: Path
) -> None:
    seen: list[torch.Tensor] = []

    def batches(first: int) -> Iterator[list[QuestionRow]]:
        for _ in range(first, RECIPE.total_steps):
            seen.append(model.lm_head.weight.detach().clone())
            yield [pack_questions(builder, 0, ABOUT_OTHER)]

    train_language_model(model, RECIPE, batches, features, FeatureStandardisation.measure(features), tmp_path)
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

    def batches(first: int) -> Iterator[list[QuestionRow]]:
        for step in range(first, RECIPE.total_steps):
            yield [
                pack_questions(builder, None, [Random(step).choice(TALK)]),
                *([pack_questions(builder, 0, ABOUT_OTHER)] if step > 99 else []),
            ]

    standardise = FeatureStandardisation.measure(features)
    whole = train_language_model(model, RECIPE, batches, features, standardise, tmp_path / "whole").state_dict()

    def kill(step: int, steps: int) -> None:
        assert steps == RECIPE.total_steps
        if step == 101:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_language_model(
            make_model(tokenizer),
            RECIPE,
            batches,
            features,
            FeatureStandardisation.measure(features),
            tmp_path / "killed",
            progress=kill,
        )
    steps: list[int] = []
    resumed = train_language_model(
        make_model(tokenizer),
        RECIPE,
        batches,
        features,
        FeatureStandardisation.measure(features),
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
