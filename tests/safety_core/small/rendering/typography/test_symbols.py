import numpy as np
import pytest

from safety_core.small.rendering.typography.symbols import SYMBOLS, draw_symbol


@pytest.mark.parametrize("character", SYMBOLS)
def test_every_sign_draws_something_in_its_tile(character: str) -> None:
    sign = draw_symbol(character, 40, (10, 20, 200))
    assert sign.size == (40, 40)
    assert 0.03 < (np.asarray(sign.getchannel("A")) > 100).mean() < 1.01


def test_an_unknown_sign_is_a_box() -> None:
    assert draw_symbol("日", 30, (0, 0, 0)).tobytes() == draw_symbol("□", 30, (0, 0, 0)).tobytes()
