from random import Random

from safety_core.nano.corpus.backbone_pairs import sample_training_scene
from safety_core.nano.corpus.pairs import LabelledPair, ask, ask_without_picture
from safety_core.nano.corpus.scenes import LabelledScene, fits_intent, sample_scene
from safety_core.nano.language.labelling_rules import Risk, get_pair_risk


def test_pairs_are_labelled_by_the_table(suite: list[LabelledPair]) -> None:
    for pair in suite:
        if pair.picture is not None:
            assert pair.risk == get_pair_risk(pair.picture.content, pair.question.intent, pair.text_risk)
        else:
            assert pair.risk == pair.text_risk
            assert pair.image_risk is None


def test_this_is_asked_of_one_thing_only() -> None:
    several = LabelledScene(scene=sample_training_scene(0, "train", 0).scene, content="weapon")
    assert fits_intent(several, "use") == (len(several.scene.items) == 1)
    single = sample_scene(Random(0), "weapon", held_out=False, single=True)
    assert fits_intent(single, "use")
    assert not fits_intent(single, "obey")
    assert ask(Random(0), single, "obey", part="trained") is None
    card = sample_scene(Random(0), "private_number", held_out=False, single=True)
    assert card.scene.card
    assert fits_intent(card, "use")
    misuse = ask(Random(0), card, "use", part="trained")
    assert misuse is not None
    assert misuse.risk == Risk(3, "privacy")


def test_the_prompt_decides_where_the_picture_alone_has_another_label() -> None:
    knife = sample_scene(Random(0), "weapon", held_out=False, single=True)
    description, instruction = (ask(Random(1), knife, kind, part="trained") for kind in ("describe", "make"))
    assert description is not None
    assert instruction is not None
    assert (description.prompt_decides, instruction.prompt_decides) == (False, True)
    assert (description.risk, instruction.risk) == (Risk(1, "illegal"), Risk(3, "illegal"))
    assert instruction.needs_picture
    talk = ask_without_picture(Random(0), part="trained")
    assert not talk.prompt_decides
    assert not talk.needs_picture
