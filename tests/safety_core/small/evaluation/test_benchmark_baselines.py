from collections import Counter
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.systems.baselines.registered import BaselineRequest, load_baseline
from safety_core.inputs.conversation import Turn
from safety_core.small.corpus.loading import Corpus
from safety_core.small.evaluation import benchmark_baselines
from safety_core.small.evaluation.systems import workbench
from tests.helpers.benchmarks.ability_sets import encode_picture
from tests.helpers.benchmarks.items import make_item, make_picture
from tests.helpers.datasets.real_items import HARMFUL, make_record

CORPUS = Corpus(
    records=(
        *(make_record("own/pairs", f"bake {n} cakes", split="train") for n in range(6)),
        *(make_record("own/pairs", f"rob {n} banks", HARMFUL, split="train") for n in range(6)),
        *(make_record("benign_fastchat", f"eat {n} cakes", split="calibration") for n in range(4)),
        make_record("catqa", "rob 9 banks", HARMFUL, split="calibration"),
    ),
    left_out=Counter(),
    missing=(),
)


@pytest.fixture
def request_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BaselineRequest:
    def fail(name: str) -> None:
        raise ConfigError("no reader")

    monkeypatch.setattr(workbench, "create_reader", fail)
    monkeypatch.setattr(benchmark_baselines, "load_records", lambda data, cache: CORPUS)
    return BaselineRequest(name="tfidf", build=tmp_path / "build", corpus=tmp_path)


def test_words_that_were_learned_are_judged(request_for: BaselineRequest, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'safevlm-guard[eval]'")
    system = load_baseline(request_for)
    turns = (
        Turn(role="user", text="bake cakes"),
        Turn(role="assistant", text="yes"),
        Turn(role="user", text="rob banks"),
    )
    items = [make_item(text="rob some banks"), make_item(text="bake some cakes"), make_item(turns=turns)]
    harmful, harmless, conversation = [system.answer(item) for item in items]
    assert harmful.risk is not None
    assert harmless.risk is not None
    assert harmful.risk > harmless.risk
    assert conversation.risk is not None
    assert harmful.decision in ("allowed", "cautioned", "refused")
    assert (system.info.name, system.info.kind) == ("tfidf", "baseline")
    assert system.info.digest == load_baseline(request_for).info.digest
    picture = make_picture(tmp_path / "in")
    assert system.answer(make_item(text="bake some cakes", picture=picture)).risk == harmless.risk


def test_pictures_of_one_name_are_told_apart(tmp_path: Path) -> None:
    first, second = make_picture(tmp_path / "a"), make_picture(tmp_path / "b", encode_picture((0, 0, 1)))
    second.path.rename(tmp_path / "b" / first.path.name)
    links = [
        benchmark_baselines.link_picture(picture, tmp_path / "links")
        for picture in (first, type(second)(path=tmp_path / "b" / first.path.name, sha256=second.sha256))
    ]
    assert len({link.name for link in links}) == 2
    assert [link.read_bytes() for link in links] == [encode_picture(), encode_picture((0, 0, 1))]


def test_the_judge_needs_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--checkpoint"):
        load_baseline(BaselineRequest(name="judge", build=tmp_path, corpus=tmp_path))
