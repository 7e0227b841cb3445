import numpy as np
from PIL import Image

from safety_core.data.duplicates.near_pictures import PICTURES_ALIKE
from safety_core.dataset_audit.duplicates.signatures import PERMUTATIONS, crop_padding, hash_decoded, sign_text
from safety_core.inputs.images.decoding import decode_image
from tests.helpers.datasets.audit_sources import draw_blocks
from tests.helpers.images.encoding import encode_image


def hash_image(image: Image.Image, kind: str = "PNG", **options: object) -> int:
    return hash_decoded(decode_image(encode_image(image, kind, **options)))


def count_differing(one: int, two: int) -> int:
    return (one ^ two).bit_count()


def test_hashes_survive_size_and_quality_and_tell_pictures_apart() -> None:
    picture = draw_blocks(1, size=(160, 120))
    original = hash_image(picture)
    assert count_differing(original, hash_image(picture.resize((100, 75)))) <= PICTURES_ALIKE
    assert count_differing(original, hash_image(picture, "JPEG", quality=50)) <= PICTURES_ALIKE
    assert count_differing(original, hash_image(draw_blocks(2, size=(160, 120)))) > PICTURES_ALIKE


def test_padding_is_no_part_of_the_picture() -> None:
    picture = draw_blocks(3, size=(90, 30))
    decoded = decode_image(encode_image(picture))
    assert decoded.views[0].size == (90, 90)
    assert crop_padding(decoded).tobytes() == picture.tobytes()


def test_signatures_have_a_fixed_size_and_estimate_what_is_shared() -> None:
    one, two = (sign_text(f"{' '.join(f'word{n}' for n in range(40))} {end}") for end in ("first end", "other end"))
    assert one is not None
    assert two is not None
    assert len(one.words) == PERMUTATIONS
    agreeing = np.frombuffer(one.words, np.uint8) == np.frombuffer(two.words, np.uint8)
    assert agreeing.mean() > 0.7
    assert sign_text("?!") is None
    short = sign_text("hi")
    assert short is not None
    assert (short.words, short.letters) == (b"", b"")
