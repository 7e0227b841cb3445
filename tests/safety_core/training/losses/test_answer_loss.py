from collections.abc import Sequence

import pytest
import torch

from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures
from safety_core.training.losses.answer_loss import compute_answer_loss, pack_prompts
from tests.helpers.models.reference import forward_answers


def prompt(model: SafeLlava, text: str, answer: str, images: int, hint: str | None = None) -> EncodedPrompt:
    return model.prompts.encode([Turn(role="user", text=text)], images, hint=hint, answer=answer)


@pytest.fixture
def vision(model: SafeLlava) -> VisionFeatures:
    torch.manual_seed(1)
    return model.encode_images(torch.randn(3, 3, 28, 28))


@pytest.fixture
def mixed(model: SafeLlava) -> tuple[list[EncodedPrompt], list[tuple[int, ...]]]:
    """Two pictures with several prompts, one of them twice, a pair of pictures, and prompts without any."""
    encoded = [
        prompt(model, "What is it?", "A red knife.", 1),
        prompt(model, "How do I hurt someone with it?", "I cannot help with that.", 1, hint="Please answer with care."),
        prompt(model, "Hello", "Hi.", 0),
        prompt(model, "Read the text.", "The text says hello.", 1),
        prompt(model, "Compare", "Two apples.", 2),
        prompt(model, "What now, please?", "Nothing.", 0),
        prompt(model, "Where?", "Here.", 1),
    ]
    return encoded, [(0,), (0,), (), (2,), (1, 2), (), (0,)]


def reference(
    model: SafeLlava, encoded: Sequence[EncodedPrompt], vision: VisionFeatures, images: Sequence[tuple[int, ...]]
) -> torch.Tensor:
    """One row a sample."""
    flat = [row for rows in images for row in rows]
    output = forward_answers(model, encoded, vision[flat], [len(rows) for rows in images])
    return output.loss * len(output.labels_A)


@pytest.mark.parametrize("share", [True, False])
def test_packed_equals_one_row_a_sample(
    model: SafeLlava,
    vision: VisionFeatures,
    mixed: tuple[list[EncodedPrompt], list[tuple[int, ...]]],
    share: bool,
) -> None:
    encoded, images = mixed
    tokens = model.safety.llm_tokens_SD
    assert tokens is not None
    packed = compute_answer_loss(model, encoded, vision, images, share=share)
    expected = reference(model, encoded, vision, images)
    torch.testing.assert_close(packed, expected, rtol=1e-5, atol=1e-5)
    (found_SD,), (expected_SD,) = (torch.autograd.grad(loss, [tokens]) for loss in (packed, expected))
    torch.testing.assert_close(found_SD, expected_SD, rtol=1e-4, atol=1e-6)


def test_prompts_of_one_picture_share_a_row(
    model: SafeLlava, mixed: tuple[list[EncodedPrompt], list[tuple[int, ...]]]
) -> None:
    encoded, images = mixed
    lengths = [len(entry.input_ids) + 23 * len(shown) for entry, shown in zip(encoded, images, strict=True)]
    rows = pack_prompts(encoded, lengths, images, share=True)
    assert [row.members for row in rows] == [(0, 1, 6), (3,), (4,), (2, 5)]
    assert sum(row.sequence.length for row in rows) < sum(lengths) - 2 * 23
    alone = pack_prompts(encoded, lengths, images, share=False)
    assert sorted(row.sequence.length for row in alone) == sorted(lengths)


def test_words_alone_need_no_picture(model: SafeLlava) -> None:
    encoded = [prompt(model, "Hello", "Hi.", 0), prompt(model, "What now, please?", "Nothing.", 0)]
    output = forward_answers(model, encoded, None, [0, 0])
    packed = compute_answer_loss(model, encoded, None, [(), ()])
    torch.testing.assert_close(packed, output.loss * len(output.labels_A), rtol=1e-5, atol=1e-5)


def test_a_prompt_without_an_answer_is_refused(model: SafeLlava) -> None:
    encoded = model.prompts.encode([Turn(role="user", text="Hello")], 0)
    with pytest.raises(ValueError, match="without an answer"):
        compute_answer_loss(model, [encoded], None, [()])
