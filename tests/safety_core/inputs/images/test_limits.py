"""The size of a view."""

from PIL import Image

from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from tests.helpers.images.checks import decode_only_view
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import draw_scene


def test_large_pictures_are_reduced_and_tiny_ones_enlarged() -> None:
    large = decode_image(encode_image(draw_scene(400, 100)), limits=ImageLimits(max_side=200))
    assert large.views[0].size == (200, 200)
    assert (large.width, large.height) == (400, 100)
    for size in ((1, 1), (1, 3), (3, 1), (3, 3), (2, 31)):
        assert decode_only_view(
            encode_image(draw_scene(*size) if min(size) > 4 else Image.new("RGB", size, (9, 9, 9)))
        ).size == (32, 32)


def test_a_long_picture_stays_within_memory_bounds() -> None:
    assert decode_only_view(encode_image(Image.new("L", (6000, 300)))).size == (1344, 1344)
