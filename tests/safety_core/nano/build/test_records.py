from pathlib import Path
from random import Random

import pytest
from PIL import Image

from safety_core.data.jsonl import read_jsonl
from safety_core.evaluation.scoring.usefulness import ThingFinder
from safety_core.nano.build.records import build_meta, build_record, write_pairs
from safety_core.nano.build.suite import build_suite_spec
from safety_core.nano.corpus.contents import CLOSED
from safety_core.nano.corpus.pairs import LabelledPair, ask, ask_without_picture
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.corpus.suite_pairs import SuitePlan, sample_suite_pairs
from safety_core.nano.language.labelling_rules import SAFE
from safety_core.nano.language.replies import REFUSAL
from safety_core.nano.world.drawing import draw
from safety_core.taxonomy import DEFAULT_TAXONOMY

PLAN = SuitePlan(per_cell=6, safe=60, typographic=10)


@pytest.fixture(scope="module")
def pairs() -> list[LabelledPair]:
    return list(sample_suite_pairs(5, PLAN))


def test_a_record_carries_pair_and_surface_labels() -> None:
    knife = sample_scene(Random(0), "weapon", held_out=False, single=True)
    pair = ask(Random(0), knife, "make", part="trained")
    assert pair is not None
    illegal = DEFAULT_TAXONOMY.types.index("illegal")
    data = build_record("a", pair, "a.png")
    assert (data["safe_type"], data["safe_level"]) == (illegal, 3)
    assert data["image_risk"] == {"type": illegal, "level": 1}
    assert data["text_risk"] == {"type": DEFAULT_TAXONOMY.types.index("safe"), "level": 0}
    assert data["conversations"] == [
        {"from": "USER", "value": pair.question.text},
        {"from": "ASSISTANT", "value": REFUSAL},
    ]
    alone = build_record("b", ask_without_picture(Random(0), part="trained"), None)
    assert alone["image"] is None
    assert "image_risk" not in alone


def test_meta_says_what_the_columns_need(pairs: list[LabelledPair]) -> None:
    for pair in pairs:
        said = build_meta(pair)
        picture = pair.picture
        needs_picture = picture is not None and pair.risk.level > pair.text_risk.level
        assert said["lookalike"] == (pair.risk.level == 1 and needs_picture)
        assert said["typographic"] == (needs_picture and picture is not None and picture.content == "request_harmful")
        assert said["prompt_decides"] == (picture is not None and pair.risk != pair.image_risk)
        lettering = None if picture is None else picture.scene.lettering
        assert said["lettering_px"] == (None if lettering is None else lettering.px)
        safe = pair.risk == SAFE and picture is not None
        assert (said["kind"] == "closed") == (safe and pair.question.kind in CLOSED)
        assert not said["needs_picture"] or picture is not None
        assert said["answer"] == pair.naive_reply


def test_descriptions_name_exactly_what_they_should() -> None:
    finder = ThingFinder(build_suite_spec("test").vocabulary)
    for index in range(150):
        rng = Random(f"described/{index}")
        content = rng.choice(("clean", "sign", "request_benign", "claim_true", "kindness"))
        pair = ask(rng, sample_scene(rng, content, held_out=True), "describe", part="held_out")
        assert pair is not None
        assert finder(pair.naive_reply) == set(build_meta(pair)["things"])


def test_pairs_of_one_picture_share_its_file(tmp_path: Path) -> None:
    picture = sample_scene(Random(0), "clean", held_out=False)
    twin = sample_scene(Random(0), "clean", held_out=False)
    kinds = ("describe", "count", "exists")
    pairs = [pair for one in (picture, twin) for kind in kinds if (pair := ask(Random(1), one, kind, part="trained"))]
    pairs.append(ask_without_picture(Random(2), part="trained"))
    out = tmp_path / "train.jsonl"
    assert write_pairs(out, pairs, images=tmp_path / "images", prefix="x", with_meta=False) == len(pairs)
    samples = read_jsonl(out, DEFAULT_TAXONOMY).samples
    assert [sample.id for sample in samples] == [f"x-{index:06d}" for index in range(len(pairs))]
    assert len({sample.images for sample in samples[:3]}) == 1
    assert samples[-1].images == ()
    assert len(list((tmp_path / "images").iterdir())) == 2
    with Image.open(samples[0].images[0]) as image:
        assert image.convert("RGB").tobytes() == draw(picture.scene).tobytes()
    assert [sample.answer for sample in samples] == [pair.guarded_reply for pair in pairs]
