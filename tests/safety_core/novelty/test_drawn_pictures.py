"""Pictures that are no photographs."""

import pytest

from safety_core.novelty.drawn_pictures import PICTURES, SIDE


@pytest.mark.parametrize("name", PICTURES)
def test_a_number_gives_the_same_picture_again_and_another_number_another(name: str) -> None:
    draw = PICTURES[name]
    pictures = [draw(number).tobytes() for number in range(12)]
    assert draw(3).tobytes() == pictures[3]
    assert len(set(pictures)) == 12
    assert (draw(5).size, draw(5).mode) == ((SIDE, SIDE), "RGB")
