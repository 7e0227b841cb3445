from dataclasses import replace
from pathlib import Path

import pytest
import torch

from safety_core.data.sample_images import ImageTable, build_image_table, load_image
from safety_core.data.samples import Sample
from safety_core.errors import SampleError
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.untrained import create_untrained
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures
from safety_core.training.batches.vision_sources import LiveImages, VisionInput


@pytest.fixture
def table(samples: tuple[Sample, ...]) -> ImageTable:
    return build_image_table(samples)


@pytest.fixture
def live(model: SafeLlava, table: ImageTable) -> VisionFeatures:
    return LiveImages(table, model).fetch([5, 0]).resolve(model, project=True)


def test_images_come_in_the_order_of_their_rows_with_repeats(model: SafeLlava, table: ImageTable) -> None:
    pixels = LiveImages(table, model).fetch([5, 0, 5]).pixels_BCHW
    fill = get_pad_colour(model.image_processor)
    shown = [load_image(table.refs[row], fill=fill) for row in (5, 0)]
    five, zero = model.preprocess(shown)
    torch.testing.assert_close(pixels, torch.stack([five, zero, five]))
    assert not torch.equal(five, zero)


def test_an_image_that_cannot_be_read_names_its_record(
    model: SafeLlava, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = build_image_table([replace(samples[0], images=(tmp_path / "bad.png",), line=7)])
    with pytest.raises(SampleError, match=r":7: image: "):
        LiveImages(bad, model).fetch([0])


def test_features_carry_no_gradient(model: SafeLlava, table: ImageTable, live: VisionFeatures) -> None:
    model.backbone.model.multi_modal_projector.requires_grad_(True)
    for source in (LiveImages(table, model).fetch([0]), VisionInput(layers=live.layers)):
        found = source.resolve(model, project=True)
        assert not any(tensor.requires_grad for tensor in (*found.layers, found.projected_BPD))


def test_a_projection_that_is_not_stored_is_computed(model: SafeLlava, live: VisionFeatures) -> None:
    halves = tuple(layer.half() for layer in live.layers)
    found = VisionInput(layers=halves).resolve(model, project=True)
    assert {tensor.dtype for tensor in (*found.layers, found.projected_BPD)} == {torch.float32}
    torch.testing.assert_close(found.projected_BPD, live.projected_BPD, rtol=2e-3, atol=2e-3)


def test_a_projection_of_layers_that_are_not_read_must_be_stored(model: SafeLlava, live: VisionFeatures) -> None:
    config = replace(model.config, vision_layers=(0,))
    other = create_untrained(
        model.backbone, tokenizer=model.tokenizer, image_processor=model.image_processor, config=config
    )
    with pytest.raises(ValueError, match="not stored"):
        VisionInput(layers=live.layers).resolve(other, project=True)


def test_a_projection_that_is_stored_is_taken(model: SafeLlava, live: VisionFeatures) -> None:
    stored = torch.full_like(live.projected_BPD, 2.0).half()
    found = VisionInput(layers=live.layers, projected_BPD=stored).resolve(model, project=True)
    assert torch.equal(found.projected_BPD, stored.float())


def test_a_projection_that_nobody_reads_is_left_out(model: SafeLlava, live: VisionFeatures) -> None:
    found = VisionInput(layers=live.layers, projected_BPD=live.projected_BPD).resolve(model, project=False)
    assert (len(found), found.projected_BPD.numel()) == (2, 0)
    torch.testing.assert_close(found.layers, live.layers)


def test_everything_of_an_input_moves_to_a_device(live: VisionFeatures) -> None:
    meta = torch.device("meta")
    pixels = VisionInput(pixels_BCHW=torch.zeros(1, 3, 2, 2)).to(meta)
    assert pixels.pixels_BCHW is not None
    assert (pixels.pixels_BCHW.device, pixels.layers, pixels.projected_BPD) == (meta, (), None)
    features = VisionInput(layers=live.layers, projected_BPD=live.projected_BPD).to(meta)
    assert features.projected_BPD is not None
    assert {tensor.device for tensor in (*features.layers, features.projected_BPD)} == {meta}
    assert features.pixels_BCHW is None
