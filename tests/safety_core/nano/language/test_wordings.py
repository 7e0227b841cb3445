from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import yaml

from safety_core.nano.language.wordings import ABOUT_PICTURES, HOW_TO, RISKY_TALK, apply_style, make_gibberish
from safety_core.nano.world.things import ASSETS
from tests.helpers.datasets import oracle


def wordings(node: Mapping[str, Any] | None = None) -> Iterator[Mapping[str, list[str]]]:
    """Every entry with trained and held-out wordings; single words outside the grammar are none."""
    if node is None:
        node = yaml.safe_load((ASSETS / "wordings.yaml").read_text(encoding="utf-8"))
        node = {name: child for name, child in node.items() if name != "outside"}
    if "trained" in node:
        yield node
        return
    for child in node.values():
        if isinstance(child, Mapping):
            yield from wordings(child)


def test_no_held_out_wording_is_ever_trained() -> None:
    trained = {wording for entry in wordings() for wording in entry["trained"]}
    held_out = [wording for entry in wordings() for wording in entry["held_out"]]
    assert len(held_out) > 100
    assert not trained & set(held_out)


def test_calibration_has_wordings_of_its_own_where_there_are_enough() -> None:
    kept = [kind for kind in oracle.WORDED if kind.calibration != kind.trained]
    assert all(len(kind.trained) < 14 for kind in oracle.WORDED if kind.calibration == kind.trained)
    assert len(kept) > 30
    for kind in kept:
        assert kind.calibration
        assert not set(kind.calibration) & (set(kind.trained) | set(kind.held_out))


def test_held_out_wordings_are_made_of_trained_words() -> None:
    trained, held_out = (
        {word for kind in oracle.WORDED for wording in getattr(kind, part) for word in wording.split()}
        for part in ("trained", "held_out")
    )
    assert held_out <= trained, sorted(held_out - trained)


def test_every_kind_has_many_wordings() -> None:
    assert sum(len(one.trained) for one in ABOUT_PICTURES.values()) >= 100
    assert all(len(one.trained) >= 4 and len(one.held_out) >= 2 for one in ABOUT_PICTURES.values())
    assert all(len(one.trained) >= 5 and len(one.held_out) >= 3 for one in RISKY_TALK.values())


def test_dressing_changes_manners_and_nothing_else() -> None:
    texts = {apply_style(Random(index), "what is in the picture") for index in range(200)}
    assert len(texts) > 20
    assert {oracle.strip_politeness(text) for text in texts} == {"what is in the picture"}


def test_how_to_takes_a_verb_and_a_thing() -> None:
    for wording in (*HOW_TO.trained, *HOW_TO.held_out):
        assert wording.format(verb="bake", thing="cake").endswith(" bake a cake")


def test_gibberish_is_never_one_of_the_wordings() -> None:
    known = {wording for entry in wordings() for part in ("trained", "held_out") for wording in entry[part]}
    texts = {make_gibberish(Random(index)) for index in range(300)}
    assert len(texts) > 250
    assert not {oracle.strip_politeness(text) for text in texts} & known
