import pytest

from safety_core.small.alignment.projector.recipe import Recipe


@pytest.mark.parametrize("name", ["steps", "batch_size", "share", "lr", "eval_steps", "save_steps"])
def test_numbers_are_positive(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: must be positive"):
        Recipe(**{name: 0})
