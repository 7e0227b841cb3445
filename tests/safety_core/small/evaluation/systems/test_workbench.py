from collections import Counter
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.policy.policy import Decision
from safety_core.small.corpus.loading import Corpus
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.systems import workbench
from safety_core.small.evaluation.systems.rows import choose_rows
from safety_core.small.evaluation.systems.workbench import Workbench, hash_manifest
from tests.helpers.datasets.real_items import HARMFUL, make_item, make_record, make_score

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


def test_a_classifier_flags_as_many_harmless_texts_as_the_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'safevlm-guard[eval]'")

    def fail(name: str) -> None:
        raise ConfigError("no reader")

    asked: list[str] = []

    def score(items: list[Item]) -> list[object]:
        asked.extend(item.prompt for item in items)
        return [make_score(Decision.CAUTIONED), make_score(), make_score(), make_score()]

    monkeypatch.setattr(workbench, "create_reader", fail)
    bench = Workbench(CORPUS, tmp_path, score_shipped=score)  # type: ignore[arg-type]
    (row,), _ = choose_rows(Path("x"), {}, ("tfidf",))
    system = bench.load(row)
    assert sorted(asked) == [f"eat {n} cakes" for n in range(4)]
    scores = list(system.score([*bench.harmless_items, make_item("rob some banks")]))
    assert sum(score.decision is not Decision.ALLOWED for score in scores[:4]) <= 1
    assert scores[-1].risk == max(score.risk for score in scores if score.risk is not None)
    assert bench.notes == ["baselines and judge get no lettering: no reader"]


def test_a_manifest_is_hashed_and_may_be_missing(tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert len(hash_manifest(tiny_checkpoint)) == 64
    assert hash_manifest(tmp_path) == ""
