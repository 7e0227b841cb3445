import re

import pytest

from safety_core.model.spec import parse_hints
from safety_core.nano.language.hints import HINTS
from safety_core.nano.language.labelling_rules import Risk
from safety_core.nano.language.replies import build_guarded_reply
from safety_core.taxonomy import DEFAULT_TAXONOMY


@pytest.mark.parametrize("name", DEFAULT_TAXONOMY.risky_types)
@pytest.mark.parametrize("level", [1, 2])
def test_a_hint_contains_the_words_that_the_reply_ends_with(name: str, level: int) -> None:
    hint = HINTS[name][DEFAULT_TAXONOMY.levels[level]]
    found = re.fullmatch(r"\(note: [a-z ]+, (?:end with|say): (.+)\)", hint)
    assert found is not None
    assert build_guarded_reply("It is a bomb.", Risk(level, name)).endswith(found[1])


def test_a_checkpoint_accepts_the_hints() -> None:
    hints = parse_hints(HINTS, DEFAULT_TAXONOMY)
    assert {(name, level) for name, levels in hints.items() for level in levels} == {
        (name, level) for name in DEFAULT_TAXONOMY.risky_types for level in (1, 2)
    }
