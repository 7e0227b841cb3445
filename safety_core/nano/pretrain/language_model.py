"""Teaches the nano to talk: LLaVA's projector and a Llama are trained from nothing on the frozen tower's features.

The questions about one picture share one pass: a sequence is the picture followed by all its questions and answers, and
a question attends to the picture and to itself alone, at the positions it would have on its own. That is exactly the
computation of asking one at a time (a test holds both equal), and far cheaper. The model is naive on purpose: it
refuses requests that are harmful in words and sees no harm in pictures. Knows the grammar's samples; nothing of safety
modules.
"""

import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from safety_core.errors import DivergedError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompts import PromptBuilder
from safety_core.nano.pretrain.muon import Muon, split_parameters
from safety_core.nano.pretrain.precision import use_32_bit_attention, use_mixed_precision
from safety_core.nano.pretrain.resume_points import load_resume, save_resume
from safety_core.nano.world import scene as world
from safety_core.training.losses.packing import PackedSegment, PackedSequence, predict_answers

RESUME_FILE = "resume.bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageRecipe:
    """Size and length of the language model's training."""

    hidden: int = 256
    layers: int = 4
    heads: int = 4
    intermediate: int = 768
    rope_theta: float = 1e6
    """Slow rotations leave most of a head's width to content: a name must match its patches at any distance."""

    vocab: int = 2048
    steps: int = 3000
    polish_steps: int = 2000
    """Steps after these, with words kept as they are, half of whose pictures ask for what is learned last."""

    polish_pictures: int = 6000
    """Pictures of that half: numbers and other lettering, and scenes to compare things in."""

    pictures_per_step: int = 8
    """Rows about a picture in each step."""

    talk_rows: int = 1
    """Rows of prompts without a picture in each step."""

    row_tokens: int = 320
    """Positions of a row; questions are added while they fit."""

    naming_weight: float = 0.3
    """Weight of the loss that draws projected patches towards the words for what they show."""

    lr: float = 0.02
    adam_lr: float = 3e-3
    warmup: int = 50
    lookup_steps: int = 500
    """First steps, which ask for nothing but places, presence and numbers of things by their names."""

    drop_at: int = 500
    """Step from which the learning rate is three tenths of what it would be."""

    @property
    def total_steps(self) -> int:
        """All of them."""
        return self.steps + self.polish_steps


@dataclass(frozen=True, slots=True)
class Packed:
    """One picture (or none) with questions and answers behind it."""

    picture: int | None
    """Row of the feature table."""

    prefix: list[int]
    """Ids up to and with the image placeholder."""

    questions: list[tuple[list[int], int]]
    """Ids behind the placeholder, and where the answer starts in them."""

    names: tuple[int, ...] = ()
    """Token that names what each patch shows, -100 where it shows nothing with a name; empty where nobody asks."""

    @property
    def tokens(self) -> set[int]:
        """Every id in it."""
        return {*self.prefix, *(token for ids, _ in self.questions for token in ids)}


def llava_config(recipe: LanguageRecipe, vision: CLIPVisionConfig, tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    """LLaVA-1.5's architecture at the nano's size.

    The tower's last layer feeds the language model: LLaVA-1.5 takes the one before it because CLIP's last layer serves
    its contrastive loss, and the nano's tower has no such loss. Input and output embeddings are one: who learns to name
    what a patch shows then learns to find it by its name, too.
    """
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.vocab["<image>"],
        image_seq_length=world.GRID**2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
        tie_word_embeddings=True,
    )


@torch.no_grad()
def look_for_likeness(model: LlavaForConditionalGeneration, scale: float = 2.5) -> None:
    """Let every attention head of a new language model start out looking for what is like the token it stands at.

    Queries and keys begin as the same projection (mimetic initialisation; Trockman and Kolter, 2023). From independent
    ones the match of a name with its patches was not found in thousands of steps: asked where one of two things is, the
    model named the place of either.

    Args:
        model: a model that has learned nothing yet.
        scale: of both projections; at 2.5 a token weighs its like about a hundred times as much as others.
    """
    for layer in model.model.language_model.layers:
        layer.self_attn.k_proj.weight.mul_(scale)
        layer.self_attn.q_proj.weight.copy_(layer.self_attn.k_proj.weight)


@dataclass(frozen=True, slots=True)
class Standardisation:
    """Mean and spread of every channel of the tower's features, shapes (V,).

    The tower has no norm at its end: its features are large and mostly one constant vector. Raw, they would drown what
    a projector learns in its own jitter and leave picture positions deaf to attention, so training sees them
    standardised, and ``fold`` moves the difference into the projector's first layer.
    """

    mean_V: Tensor
    std_V: Tensor

    @classmethod
    def of(cls, features_PNV: npt.NDArray[np.float16], pictures: int = 1_000) -> Self:
        """Measure the first ``pictures`` pictures of a table."""
        sample = torch.from_numpy(np.array(features_PNV[:pictures])).float().flatten(0, 1)
        return cls(sample.mean(0), sample.std(0).clamp(min=1e-6))

    def __call__(self, features_V: Tensor) -> Tensor:
        """Features (..., V) with mean 0 and spread 1."""
        return (features_V - self.mean_V.to(features_V)) / self.std_V.to(features_V)

    @torch.no_grad()
    def fold(self, layer: nn.Linear) -> None:
        """Change a layer that was trained on standardised features so that it takes raw ones."""
        layer.weight.div_(self.std_V.to(layer.weight))
        layer.bias.sub_(layer.weight @ self.mean_V.to(layer.weight))


@torch.no_grad()
def tell_apart(embeddings: nn.Embedding, seen: Collection[int]) -> None:
    """Set the words that training never showed apart from each other.

    Where input and output embeddings are one, such a word only ever learns that it is not said, and all of them learn
    it alike: they end up nearly the same vector, and no later stage can read or say one of them and not another. What
    they share, being unsaid, stays; what tells them apart grows to what tells seen words apart.

    Args:
        embeddings: of a trained model, shape (W, D); changed in place.
        seen: ids that training showed, in a prompt or in an answer.
    """
    weight_WD = embeddings.weight
    known_W = torch.zeros(len(weight_WD), dtype=torch.bool, device=weight_WD.device)
    known_W[sorted(seen)] = True
    if bool(known_W.all()):
        return
    shared_D = weight_WD[~known_W].mean(0)
    own_UD = weight_WD[~known_W] - shared_D
    spread = (weight_WD[known_W] - weight_WD[known_W].mean(0)).norm(dim=1).mean()
    weight_WD[~known_W] = shared_D + F.normalize(own_UD, dim=1) * spread


def pack(builder: PromptBuilder, picture: int | None, questions: Sequence[tuple[str, str]]) -> Packed:
    """Encode (question, answer) pairs about one picture with a shared prefix."""
    prefix: list[int] = []
    tails = []
    for question, answer in questions:
        encoded = builder.encode([Turn(role="user", text=question)], int(picture is not None), answer=answer)
        split = encoded.image_positions[0] + 1 if picture is not None else 0
        prefix = encoded.input_ids[:split]
        assert encoded.answer_span is not None
        tails.append((encoded.input_ids[split:], encoded.answer_span[0] - split))
    return Packed(picture, prefix, tails)


def fill(
    builder: PromptBuilder,
    picture: int | None,
    questions: Iterable[tuple[str, str]],
    room: int,
    names: tuple[int, ...] = (),
) -> Packed:
    """Pack as many of the questions as fit into ``room`` positions, the first one in any case."""
    row = Packed(picture, [], [])
    used = 0
    for question in questions:
        one = pack(builder, picture, [question])
        if not row.questions:
            row = replace(one, names=names)
            used = len(one.prefix) + (world.GRID**2 - 1 if picture is not None else 0) + len(one.questions[0][0])
        elif used + len(one.questions[0][0]) <= room:
            row.questions.extend(one.questions)
            used += len(one.questions[0][0])
    return row


def packed_inputs(
    model: LlavaForConditionalGeneration,
    batch: Sequence[Packed],
    features_PNV: npt.NDArray[np.float16],
    standardise: Standardisation | None = None,
) -> tuple[list[PackedSequence], list[Tensor]]:
    """Lay out and embed the rows of a batch: each row's segments, and its embeddings (positions, D)."""
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


def packed_loss(
    model: LlavaForConditionalGeneration,
    batch: Sequence[Packed],
    features_PNV: npt.NDArray[np.float16],
    standardise: Standardisation | None = None,
) -> tuple[Tensor, float]:
    """Mean cross-entropy over answer tokens, and the share of them predicted rightly."""
    logits_AW, label_A = predict_answers(model, *packed_inputs(model, batch, features_PNV, standardise))
    return F.cross_entropy(logits_AW, label_A), (logits_AW.argmax(-1) == label_A).float().mean().item()


def naming_loss(
    model: LlavaForConditionalGeneration,
    batch: Sequence[Packed],
    features_PNV: npt.NDArray[np.float16],
    standardise: Standardisation,
) -> Tensor:
    """Mean cross-entropy of naming each patch by the word embedding that its projected features point at.

    A batch that asks for no names costs nothing.
    """
    named = [one for one in batch if one.names]
    if not named:
        return torch.zeros((), device=model.device)
    names = torch.tensor([one.names for one in named], device=model.device)
    shown = names != -100
    raw = torch.from_numpy(features_PNV[[one.picture or 0 for one in named]]).to(model.device).float()
    projected = model.model.multi_modal_projector(standardise(raw))[shown].float()
    logits = F.linear(F.rms_norm(projected, projected.shape[-1:]), model.lm_head.weight)
    return F.cross_entropy(logits.float(), names[shown])


def learning_rate(step: int, recipe: LanguageRecipe) -> float:
    """Share of the peak learning rate: linear warm-up and linear to zero, three tenths of it once the drop is reached.

    With a thousand answer tokens a step, the noise of the full rate outweighs what is still to be learned as soon as
    words are found. Polishing is a second run at the lower rate.
    """
    if step >= recipe.steps:
        done = step - recipe.steps
        return min((done + 1) / recipe.warmup, 1 - done / recipe.polish_steps) * 0.3
    return min((step + 1) / recipe.warmup, 1 - step / recipe.steps) * (1.0 if step < recipe.drop_at else 0.3)


def train_language(
    model: LlavaForConditionalGeneration,
    recipe: LanguageRecipe,
    batches: Callable[[int], Iterator[list[Packed]]],
    features_PNV: npt.NDArray[np.float16],
    standardise: Standardisation,
    out: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> LlavaForConditionalGeneration:
    """Train (or resume) projector and language model; the tower stays as it is.

    Args:
        model: the new model with the trained tower in it.
        recipe: size and length.
        batches: batches from a given step on; the same ones in every run.
        features_PNV: the tower's features of every training picture.
        standardise: how they reach the projector; folded into it at the end.
        out: working folder with the log and the resume point.
        progress: called with (step, steps).
    """
    out.mkdir(parents=True, exist_ok=True)
    model.model.vision_tower.requires_grad_(False)
    matrices, others = split_parameters(model, (".layers.", "multi_modal_projector."))
    optimizers = [
        Muon(matrices, lr=recipe.lr, weight_decay=0.01),
        torch.optim.AdamW(others, lr=recipe.adam_lr, betas=(0.9, 0.98), weight_decay=0.01),
    ]
    with use_32_bit_attention(model.model.language_model):
        _train(model, optimizers, recipe, batches, features_PNV, standardise, out, progress)
    standardise.fold(model.model.multi_modal_projector.linear_1)
    return model


def _train(
    model: LlavaForConditionalGeneration,
    optimizers: Sequence[torch.optim.Optimizer],
    recipe: LanguageRecipe,
    batches: Callable[[int], Iterator[list[Packed]]],
    features_PNV: npt.NDArray[np.float16],
    standardise: Standardisation,
    out: Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    others = [one for group in optimizers[1].param_groups for one in group["params"]]
    first = load_resume(out / RESUME_FILE, model, optimizers)
    started = time.monotonic()
    mean_loss = mean_right = 0.0
    for step, batch in zip(range(first, recipe.total_steps), batches(first), strict=False):
        share = learning_rate(step, recipe)
        # What a word means is settled then; the safety head reads these very embeddings.
        model.get_input_embeddings().requires_grad_(step < recipe.steps)
        for optimizer, peak in zip(optimizers, (recipe.lr, recipe.adam_lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * share
        with use_mixed_precision(model.device.type):
            loss, right = packed_loss(model, batch, features_PNV, standardise)
            naming = naming_loss(model, batch, features_PNV, standardise)
        (loss + recipe.naming_weight * naming).backward()
        nn.utils.clip_grad_norm_(others, 1.0)
        with use_mixed_precision(model.device.type):
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        rate = 1.0 if step == first else 0.03
        mean_loss += rate * (loss.item() - mean_loss)
        mean_right += rate * (right - mean_right)
        if not math.isfinite(mean_loss):
            raise DivergedError(f"language training diverged at step {step}")
        if step % 25 == 24 or step == recipe.total_steps - 1:
            seconds = round(time.monotonic() - started, 1)
            record = {
                "step": step + 1,
                "loss": round(mean_loss, 4),
                "naming": round(naming.item(), 4),
                "tokens_right": round(mean_right, 4),
                "seconds": seconds,
            }
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(record) + "\n")
        if step % 100 == 99 or step == recipe.total_steps - 1:
            save_resume(out / RESUME_FILE, model, optimizers, step + 1)
        if progress is not None:
            progress(step + 1, recipe.total_steps)
