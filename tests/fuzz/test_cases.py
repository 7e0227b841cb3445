"""Tests of the fuzzer: its start files are valid, each mutation changes a file, and a number selects the same file."""

from random import Random

import pytest

from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import decode_image
from tests.fuzz import pngs
from tests.fuzz.cases import case
from tests.fuzz.corpora import corpora
from tests.fuzz.layout import pieces_of, repaired
from tests.fuzz.mutations import MUTATIONS, Mutation, damaged


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif"])
def test_the_files_to_start_from_are_sound(kind: str) -> None:
    files = corpora()[kind]
    assert len(files) > 80
    for name, data in files.items():
        decoded = decode_image(data)
        assert decoded.width * decoded.height in (1, 120, 384, 527, 1089), name
        pieces = pieces_of(data)
        assert len(pieces) > 1, name
        assert b"".join(pieces) == repaired(data) == data, name


def test_they_have_every_variant_that_pngs_have() -> None:
    headers = {(data[24], data[25], data[28]) for data in corpora()["png"].values()}
    assert headers == {
        (depth, colour, interlaced)
        for colour, depths in pngs.DEPTHS.items()
        for depth in depths
        for interlaced in (0, 1)
    }


def test_a_number_means_one_file() -> None:
    assert case(3, 14) == case(3, 14)
    assert len({case(seed, number).data for seed in (0, 1) for number in range(300)}) > 550


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_each_mutation_damages_and_bears_damage(mutation: Mutation) -> None:
    files = [data for kind in corpora().values() for data in kind.values()]
    random, changed = Random(0), 0
    for _ in range(200):
        data, other = random.choice(files), random.choice(files)
        harmed = mutation(random, data, other)
        changed += harmed != data
        mutation(random, damaged(random, harmed, other), other)
    for broken in (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF89a"):
        mutation(random, broken, files[0])
    assert changed > 20


def test_enough_of_it_gets_past_the_first_look() -> None:
    outcomes = []
    for number in range(500):
        try:
            decode_image(case(0, number).data)
            outcomes.append("picture")
        except ImageError as exc:
            outcomes.append(exc.code)
    assert 50 < outcomes.count("picture") < 250
    assert outcomes.count("image_format") < 100
    assert outcomes.count("image_corrupt") > 150
