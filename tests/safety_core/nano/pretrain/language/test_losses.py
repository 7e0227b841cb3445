from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.nano.pretrain.language.losses import compute_answer_loss, compute_naming_loss
from safety_core.nano.pretrain.language.rows import QuestionRow, embed_rows, fill_row, pack_questions
from safety_core.nano.pretrain.language.standardisation import FeatureStandardisation
from safety_core.nano.world.scene import GRID
from tests.helpers.models.nano_backbone import ABOUT_ONE, ABOUT_OTHER, TALK


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
    batch: list[QuestionRow],
) -> None:
    loss, right = compute_answer_loss(model, batch, features)
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
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    features: npt.NDArray[np.float16],
    batch: list[QuestionRow],
) -> None:
    projector = model.model.multi_modal_projector.linear_1.weight
    packed, _ = compute_answer_loss(model, batch, features)
    (together,) = torch.autograd.grad(packed, projector)
    losses, gradients, tokens = [], [], []
    for picture, pairs in ((1, ABOUT_ONE), (None, TALK), (0, ABOUT_OTHER)):
        for pair in pairs:
            single = [pack_questions(builder, picture, [pair])]
            (sequence,), _ = embed_rows(model, single, features)
            tokens.append(sum(len(segment.answer) for segment in sequence.segments))
            loss, _ = compute_answer_loss(model, single, features)
            losses.append(loss.detach() * tokens[-1])
            if picture is not None:
                gradients.append(torch.autograd.grad(loss, projector)[0] * tokens[-1])
    torch.testing.assert_close(packed.detach(), torch.stack(losses).sum() / sum(tokens), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(together, torch.stack(gradients).sum(dim=0) / sum(tokens), rtol=1e-4, atol=1e-6)


def test_patches_are_drawn_towards_the_words_for_what_they_show(
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    tokenizer: PreTrainedTokenizerFast,
    features: npt.NDArray[np.float16],
    batch: list[QuestionRow],
) -> None:
    standardise = FeatureStandardisation.measure(features)
    assert compute_naming_loss(model, batch, features, standardise) == 0
    (dog,) = tokenizer(" dog", add_special_tokens=False).input_ids
    names = (-100,) * (GRID**2 - 3) + (dog,) * 3
    row = fill_row(builder, 1, ABOUT_ONE, 1_000, names)
    assert row.names == names
    with torch.no_grad():
        model.lm_head.weight.mul_(50)  # as long as they become in training
    optimizer = torch.optim.AdamW(model.model.multi_modal_projector.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = compute_naming_loss(model, [*batch, row], features, standardise)
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
