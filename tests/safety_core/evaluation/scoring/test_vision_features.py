from pathlib import Path

import pytest
import torch
from PIL import Image

from safety_core.data.sample_images import ImageRef, ImageTable, build_image_table
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import SampleError
from safety_core.evaluation.scoring.vision_features import SampleEncoder, VisionFeatureCache, decode_opaque_view
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures


def make_features(images: int = 1) -> VisionFeatures:
    """Features of 20 bytes for each image."""
    return VisionFeatures((torch.ones(images, 2, 1),), torch.ones(images, 1, 3))


def make_table(folder: Path, *colours: str) -> ImageTable:
    for colour in colours:
        Image.new("RGB", (28, 28), colour).save(folder / f"{colour}.png")
    label = RiskLabel(type=0, level=0)
    return build_image_table(
        Sample(id=colour, images=(folder / f"{colour}.png",), conversation=(), label=label) for colour in colours
    )


def make_ref(path: Path) -> ImageRef:
    label = RiskLabel(type=0, level=0)
    return ImageRef(
        sample=Sample(id="a", images=(path,), conversation=(), label=label, file="a.jsonl", line=7), index=0
    )


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> SafeLlava:
    return load_checkpoint(tiny_checkpoint)


def assert_equal(found: VisionFeatures | None, expected: VisionFeatures) -> None:
    assert found is not None
    for one, other in zip(
        (*found.layers, found.projected_BPD), (*expected.layers, expected.projected_BPD), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_features_are_kept_by_tower_and_image() -> None:
    cache = VisionFeatureCache()
    cache.put("tower", "image", make_features())
    assert_equal(cache.get("tower", "image"), make_features())
    assert cache.get("other", "image") is None
    assert cache.get("tower", "other") is None


def test_a_full_cache_keeps_what_it_has_and_takes_nothing_more() -> None:
    cache = VisionFeatureCache(max_bytes=59)
    for name in "abc":
        cache.put("tower", name, make_features())
    assert [cache.get("tower", name) is not None for name in "abc"] == [True, True, False]
    exact = VisionFeatureCache(max_bytes=20)
    exact.put("tower", "a", make_features())
    assert exact.get("tower", "a") is not None


def test_kept_features_do_not_hold_the_memory_of_their_batch() -> None:
    cache, batch = VisionFeatureCache(), make_features(images=50)
    cache.put("tower", "a", batch[3:4])
    kept = cache.get("tower", "a")
    assert kept is not None
    assert [tensor.untyped_storage().nbytes() for tensor in (*kept.layers, kept.projected_BPD)] == [8, 12]


def test_images_are_encoded_in_the_given_order_with_repeats(model: SafeLlava, tmp_path: Path) -> None:
    table = make_table(tmp_path, "red", "green", "blue")
    encoder = SampleEncoder(model, table, VisionFeatureCache(0))
    views = [decode_opaque_view(table.refs[row], (0, 0, 0)) for row in (2, 0, 2)]
    assert_equal(encoder.encode([2, 0, 2]), model.encode_images(model.preprocess(views)))
    assert encoder.encode([]) is None


def test_an_image_in_the_cache_is_not_encoded_again(model: SafeLlava, tmp_path: Path) -> None:
    table, cache = make_table(tmp_path, "red", "green"), VisionFeatureCache()
    first = SampleEncoder(model, table, cache).encode([0])
    assert first is not None
    (tmp_path / "red.png").unlink()
    both = SampleEncoder(model, table, cache).encode([1, 0])
    assert both is not None
    assert_equal(both[1:], first)
    with pytest.raises(SampleError, match="cannot be read"):
        SampleEncoder(model, table, VisionFeatureCache()).encode([0])


def test_another_tower_shares_no_features(tiny_checkpoint: Path, model: SafeLlava, tmp_path: Path) -> None:
    table, cache = make_table(tmp_path, "red"), VisionFeatureCache()
    first = SampleEncoder(model, table, cache).encode([0])
    other = load_checkpoint(tiny_checkpoint)
    with torch.no_grad():
        next(other.backbone.model.vision_tower.parameters()).add_(1.0)
    second = SampleEncoder(other, table, cache).encode([0])
    assert first is not None
    assert second is not None
    assert not torch.equal(first.layers[0], second.layers[0])


def test_an_image_of_an_evaluation_is_opaque(tmp_path: Path) -> None:
    Image.new("RGBA", (28, 28), (0, 0, 0, 128)).save(tmp_path / "clear.png")
    with pytest.raises(SampleError, match=r"^a\.jsonl:7: image: an image of an evaluation must be opaque"):
        decode_opaque_view(make_ref(tmp_path / "clear.png"), (0, 0, 0))
    Image.new("RGB", (30, 60), "red").save(tmp_path / "red.png")
    view = decode_opaque_view(make_ref(tmp_path / "red.png"), (1, 2, 3))
    assert (view.size, view.getpixel((0, 0)), view.getpixel((30, 30))) == ((60, 60), (1, 2, 3), (255, 0, 0))


def test_an_image_that_cannot_be_decoded_names_its_record(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(SampleError, match=r"^a\.jsonl:7: image: "):
        decode_opaque_view(make_ref(tmp_path / "bad.png"), (0, 0, 0))
