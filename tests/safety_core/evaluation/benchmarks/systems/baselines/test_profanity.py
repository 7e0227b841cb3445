import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.systems.baselines.profanity import ProfanityBaseline, load_profanity_baseline
from safety_core.inputs.conversation import Turn
from tests.helpers.benchmarks.items import make_item, make_picture


def test_the_users_words_are_judged_by_one_half() -> None:
    asked: list[Sequence[str]] = []

    def predict(texts: Sequence[str]) -> list[float]:
        asked.append(texts)
        return [0.5 if "damn" in texts[0] else 0.25]

    system = ProfanityBaseline(predict)
    turns = (Turn(role="user", text="damn"), Turn(role="assistant", text="no"), Turn(role="user", text="it"))
    rude, kind = system.answer(make_item(turns=turns)), system.answer(make_item())
    assert (rude.decision, rude.risk) == ("refused", 0.5)
    assert (kind.decision, kind.risk) == ("allowed", 0.25)
    assert asked[0] == ["damn\nit"]


def test_pictures_alone_are_allowed_unseen(tmp_path: Path) -> None:
    system = ProfanityBaseline(lambda texts: [1.0])
    assert system.answer(make_item(text=None, picture=make_picture(tmp_path))).decision == "allowed"


def test_without_its_package_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "profanity_check", None)
    with pytest.raises(ConfigError, match="extra peers"):
        load_profanity_baseline()


def test_the_installed_package_knows_rude_words() -> None:
    pytest.importorskip("profanity_check")
    system = load_profanity_baseline()
    assert (system.answer(make_item(text="You fucking idiot.")).risk or 0) > 0.5
    assert (system.answer(make_item(text="Good morning to you.")).risk or 0) < 0.5
