from dataclasses import replace
from itertools import islice

import pytest
from transformers import PreTrainedTokenizerFast

from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.nano.build.backbone_batches import BackboneBatches
from safety_core.nano.build.recipes import SMOKE
from safety_core.nano.language.wordings import ABOUT_PICTURES
from safety_core.nano.pretrain.language.rows import QuestionRow
from safety_core.nano.pretrain.tokenizer import IMAGE_TOKEN, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(["USER: \nwhat is this? ASSISTANT: It is a dog."], vocab_size=300)


@pytest.fixture(scope="module")
def builder(tokenizer: PreTrainedTokenizerFast) -> PromptBuilder:
    return PromptBuilder(tokenizer, tokenizer.vocab[IMAGE_TOKEN])


def test_batches_depend_on_the_step_alone(builder: PromptBuilder) -> None:
    recipe = replace(SMOKE.language, lookup_steps=0)
    batches = BackboneBatches(recipe=replace(SMOKE, language=recipe), builder=builder)
    epoch = SMOKE.pictures // recipe.pictures_per_step
    steps = epoch + 2
    whole = list(islice(batches.generate_first_run(0), steps))
    for first in (1, epoch - 1, epoch, epoch + 1):
        rest = islice(batches.generate_first_run(first), steps - first)
        assert list(rest) == whole[first:]
    pictures = [one.picture for batch in whole[:epoch] for one in batch if one.picture is not None]
    assert sorted(pictures) == list(range(SMOKE.pictures))
    assert [one.picture for one in whole[epoch] if one.picture is not None] != pictures[:3]


def test_every_other_row_polishes(builder: PromptBuilder) -> None:
    recipe = replace(SMOKE.language, steps=2, polish_steps=4)
    batches = BackboneBatches(recipe=replace(SMOKE, language=recipe), builder=builder)
    whole = list(islice(batches.generate(0), recipe.total_steps))
    assert len(whole) == recipe.total_steps
    for first in (1, 2, 3):
        rest = islice(batches.generate(first), recipe.total_steps - first)
        assert list(rest) == whole[first:]
    for batch in whole[recipe.steps :]:
        pictures = [row.picture for row in batch if row.picture is not None]
        assert len(pictures) == recipe.pictures_per_step
        assert [picture >= SMOKE.pictures for picture in pictures] == [row % 2 == 1 for row in range(len(pictures))]
        assert max(pictures) < SMOKE.pictures + recipe.polish_pictures
        assert sum(row.picture is None for row in batch) == recipe.talk_rows


def test_names_are_looked_up_first(builder: PromptBuilder, tokenizer: PreTrainedTokenizerFast) -> None:
    recipe = replace(SMOKE, language=replace(SMOKE.language, lookup_steps=1))
    batches = BackboneBatches(recipe=recipe, builder=builder)
    first, then = islice(batches.generate_first_run(0), 2)
    lists = (*ABOUT_PICTURES["find"].trained, *ABOUT_PICTURES["check"].trained, *ABOUT_PICTURES["tally"].trained)

    def asked(batch: list[QuestionRow]) -> list[bool]:
        texts = [str(tokenizer.decode(ids)).lower() for row in batch for ids, _ in row.questions]
        return [any(one.removesuffix("{list}") in text for one in lists) for text in texts]

    assert all(asked(first))
    assert not all(asked(then))
    assert all(row.picture is not None and row.picture % 2 for row in first)
