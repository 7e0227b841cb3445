"""Rows of questions about one picture, which share one pass through the language model.

A row is the picture followed by questions with their answers; a question attends to the picture and to itself, at the
positions that it would have alone. The result equals that of one pass per question (a test compares both).
Shapes: P pictures · N patches · V tower width · D width of the language model.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.nano.pretrain.language.standardisation import FeatureStandardisation
from safety_core.nano.world.scene import GRID
from safety_core.training.losses.packing import PackedSegment, PackedSequence


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One picture (or none), followed by questions and answers."""

    picture: int | None
    """Index of the picture in the table of features."""

    prefix: list[int]
    """Ids up to the image placeholder, inclusive."""

    questions: list[tuple[list[int], int]]
    """Ids behind the placeholder, and the position of the answer in them."""

    names: tuple[int, ...] = ()
    """Token that names what each patch shows, -100 for patches without a name; empty if the naming loss is not used."""

    @property
    def tokens(self) -> set[int]:
        """Set of all ids of the row."""
        return {*self.prefix, *(token for ids, _ in self.questions for token in ids)}


def pack_questions(builder: PromptBuilder, picture: int | None, questions: Sequence[tuple[str, str]]) -> QuestionRow:
    """Encode (question, answer) pairs about one picture behind their common prefix."""
    prefix: list[int] = []
    tails = []
    for question, answer in questions:
        encoded = builder.encode([Turn(role="user", text=question)], int(picture is not None), answer=answer)
        split = encoded.image_positions[0] + 1 if picture is not None else 0
        prefix = encoded.input_ids[:split]
        assert encoded.answer_span is not None
        tails.append((encoded.input_ids[split:], encoded.answer_span[0] - split))
    return QuestionRow(picture, prefix, tails)


def fill_row(
    builder: PromptBuilder,
    picture: int | None,
    questions: Iterable[tuple[str, str]],
    room: int,
    names: tuple[int, ...] = (),
) -> QuestionRow:
    """Pack as many questions as fit into ``room`` positions, at least the first one."""
    row = QuestionRow(picture, [], [])
    used = 0
    for question in questions:
        one = pack_questions(builder, picture, [question])
        if not row.questions:
            row = replace(one, names=names)
            used = len(one.prefix) + (GRID**2 - 1 if picture is not None else 0) + len(one.questions[0][0])
        elif used + len(one.questions[0][0]) <= room:
            row.questions.extend(one.questions)
            used += len(one.questions[0][0])
    return row


def embed_rows(
    model: LlavaForConditionalGeneration,
    batch: Sequence[QuestionRow],
    features_PNV: npt.NDArray[np.float16],
    standardise: FeatureStandardisation | None = None,
) -> tuple[list[PackedSequence], list[Tensor]]:
    """Embed the rows of a batch; return the segments of each row and its embeddings (positions, D)."""
    device = model.device
    embed = model.get_input_embeddings()
    pictured = [one.picture for one in batch if one.picture is not None]
    projected = iter(())
    if pictured:
        raw = torch.from_numpy(features_PNV[pictured]).to(device).float()
        projected = iter(model.model.multi_modal_projector(raw if standardise is None else standardise(raw)))
    sequences, embeds = [], []
    for one in batch:
        parts = []
        if one.picture is not None:
            parts += [embed(torch.tensor(one.prefix[:-1], device=device)), next(projected)]
        prefix = sum(len(part) for part in parts)
        parts += [embed(torch.tensor(ids, device=device)) for ids, _ in one.questions]
        segments = (PackedSegment(len(ids), tuple(ids[answer:]), answer) for ids, answer in one.questions)
        sequences.append(PackedSequence(prefix, tuple(segments)))
        embeds.append(torch.cat(parts))
    return sequences, embeds
