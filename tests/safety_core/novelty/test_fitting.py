"""Fitting what is familiar: to which inputs, with what result, and what the checkpoint then does with it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest, ReplyRequest
from safety_core.errors import CheckpointError, ConfigError, TensorKeyError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.model.checkpoint.checkpoint import load_checkpoint, write_manifest
from safety_core.model.checkpoint.novelty_file import NOVELTY_FILE, read_novelty
from safety_core.model.checkpoint.verification import verify
from safety_core.model.modules.novelty import QUANTILES
from safety_core.novelty.features import AverageFeatures
from safety_core.novelty.fitting import fit_inputs
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import draw_ellipse


def create_features(count: int, *, seed: int, shift: float = 0.0, length: int = 1) -> AverageFeatures:
    """Features with a large variance along two of twelve axes."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([5.0, 3.0, *[0.5] * 10])
    values = torch.randn(count, 12, generator=generator) * scale
    values[:, -1] += shift
    return AverageFeatures(values_BD=values, lengths=(length,) * count)


def test_held_out_inputs_have_every_novelty_and_others_a_large_one() -> None:
    inputs = fit_inputs(create_features(2000, seed=0), create_features(1000, seed=1), kind="texts")
    again = inputs.measure_novelty(create_features(1000, seed=2).values_BD, [1] * 1000)
    assert np.mean(again) == pytest.approx(0.5, abs=0.05)
    assert np.mean(np.array(again) > 0.95) == pytest.approx(0.05, abs=0.03)
    # 4 is within the spread of the first axes, but far outside along the last one.
    far = inputs.measure_novelty(create_features(200, seed=3, shift=4.0).values_BD, [1] * 200)
    assert np.mean(far) > 0.99


def test_each_group_of_lengths_has_enough_inputs() -> None:
    parts = [create_features(300, seed=length, length=length) for length in range(1, 6)]
    joined = AverageFeatures(
        values_BD=torch.cat([part.values_BD for part in parts]),
        lengths=tuple(length for part in parts for length in part.lengths),
    )
    inputs = fit_inputs(joined, joined, kind="texts")
    assert inputs.lengths_G == (2, 5)
    assert inputs.distances_GQ.shape == (2, len(QUANTILES))


def test_too_few_inputs_are_an_error() -> None:
    with pytest.raises(ConfigError, match="10 held out images, at least 200"):
        fit_inputs(create_features(300, seed=0), create_features(10, seed=1), kind="images")


def test_a_fitted_checkpoint_is_valid_and_reports_novelty(fitted: Path, reading_checkpoint: Path) -> None:
    assert verify(fitted).has_novelty
    assert not verify(reading_checkpoint).has_novelty
    guard, plain = load_guard(fitted, device="cpu"), load_guard(reading_checkpoint, device="cpu")
    picture = decode_image(encode_image(draw_ellipse("#406060", (28, 28))), fill=guard.info.pad_colour)
    request = GuardRequest(images=(picture,), turns=(Turn(role="user", text="What hand is in the picture?"),))
    known, unmeasured = guard.assess(request), plain.assess(request)
    assert known.assessment is not None
    assert known.assessment.novelty is not None
    assert unmeasured.assessment is not None
    assert unmeasured.assessment.novelty is None
    assert known.pair is not None
    assert unmeasured.pair is not None
    assert known.pair.deciding == unmeasured.pair.deciding, "the scores are the same"
    noise = decode_image(encode_image(draw_ellipse("white", (28, 28)).effect_spread(14)), fill=guard.info.pad_colour)
    strange = guard.assess(GuardRequest(images=(noise,), turns=(Turn(role="user", text="}}{{ 7%7% ££ }}{{ 7%"),)))
    assert strange.assessment is not None
    assert strange.assessment.novelty is not None
    text, image = strange.assessment.novelty.text, strange.assessment.novelty.image
    assert text is not None
    assert image is not None
    assert text > (known.assessment.novelty.text or 0)
    assert image > (known.assessment.novelty.image or 0)
    assert strange.assessment.novelty.score == max(text, image)


def test_slices_measure_the_same_and_replies_nothing(fitted: Path) -> None:
    guard = load_guard(fitted, device="cpu")
    requests = [GuardRequest(turns=(Turn(role="user", text=text),)) for text in ("Read the text.", "Hello", "}}{{")]
    together = [guard.assess(request).assessment for request in requests]
    slices = guard.judge_in_slices([guard.prepare(request) for request in requests])
    while True:
        try:
            next(slices)
        except StopIteration as end:
            judged = end.value
            break
    sliced = [one.verdict.assessment.novelty.text for one in judged]
    assert sliced == [
        pytest.approx(one.novelty.text) for one in together if one is not None and one.novelty is not None
    ]
    reply = guard.assess(ReplyRequest(turns=requests[0].turns))
    assert reply.assessment is not None
    assert reply.assessment.novelty is None


def test_a_damaged_file_is_rejected(fitted: Path, tmp_path: Path) -> None:
    dims, tensors = verify(fitted).spec.dims, load_file(fitted / NOVELTY_FILE)
    file = tmp_path / NOVELTY_FILE

    def save(**changes: torch.Tensor | None) -> Path:
        merged = {**tensors, **{name.replace("__", "."): value for name, value in changes.items()}}
        save_file({name: value for name, value in merged.items() if value is not None}, file)
        return file

    with pytest.raises(TensorKeyError, match=r"texts\.tail"):
        read_novelty(save(texts__tail=None), dims)
    with pytest.raises(CheckpointError, match=r"images\.mean has shape"):
        read_novelty(save(images__mean=torch.ones(3)), dims)
    with pytest.raises(CheckpointError, match="positive"):
        read_novelty(save(texts__variance=-tensors["texts.variance"]), dims)
    with pytest.raises(CheckpointError, match="finite"):
        read_novelty(save(texts__mean=tensors["texts.mean"] * float("nan")), dims)
    checkpoint = tmp_path / "damaged"
    shutil.copytree(fitted, checkpoint)
    shutil.copyfile(save(images__mean=torch.ones(3)), checkpoint / NOVELTY_FILE)
    write_manifest(checkpoint)
    with pytest.raises(CheckpointError, match=r"images\.mean"):
        load_checkpoint(checkpoint)
