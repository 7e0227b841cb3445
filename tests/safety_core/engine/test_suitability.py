"""What a checkpoint says that it is fit for."""

import pytest

from safety_core.engine.suitability import NANO, TRAINED, UNTRAINED, describe_suitability, is_miniature
from safety_core.model.checkpoint.checkpoint import read_spec
from tests.helpers.paths import NANO_CHECKPOINT, ROOT, SMALL_CHECKPOINT


@pytest.mark.parametrize(
    ("provenance", "text"),
    [
        ({"trained": False, "command": "safevlm nano build"}, UNTRAINED),
        ({}, UNTRAINED),
        ({"trained": True}, TRAINED),
        ({"trained": True, "command": 7}, TRAINED),
        ({"trained": True, "command": "safevlm train"}, TRAINED),
        ({"trained": True, "command": "safevlm nano build --small"}, NANO),
    ],
)
def test_a_checkpoint_is_fit_for_what_it_was_made_for(provenance: dict[str, object], text: str) -> None:
    assert describe_suitability(provenance) == text


def test_the_shipped_checkpoint_does_not_understand_photographs() -> None:
    text = describe_suitability(read_spec(ROOT / "weights" / "safevlm-nano").provenance)
    assert "does not understand photographs" in text


def test_of_the_shipped_checkpoints_the_nano_is_the_miniature() -> None:
    assert is_miniature(read_spec(NANO_CHECKPOINT).provenance)
    assert not is_miniature(read_spec(SMALL_CHECKPOINT).provenance)
    assert not is_miniature({"trained": True, "command": 7})
