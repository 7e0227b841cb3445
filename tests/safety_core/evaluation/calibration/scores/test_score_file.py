import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.scores.score_file import (
    StoredScores,
    read_scores,
    tabulate_scores,
    write_scores,
)
from safety_core.inputs.conversation import Turn
from safety_core.policy.policy import Action, NoveltyRule, Policy
from safety_core.scores import Novelty, PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation

SECRET = "a secret question about my neighbour"


def view(seed: float) -> RiskScores:
    rng = np.random.default_rng(int(seed * 100))
    types, levels = (rng.dirichlet(np.ones(count)).astype(np.float32).tolist() for count in (7, 4))
    return RiskScores(types=tuple(types), levels=tuple(levels))


def sample(name: str, level: int = 0) -> Sample:
    label = RiskLabel(type=6 if level == 0 else 1, level=level)
    turns = (Turn(role="user", text=SECRET),)
    return Sample(id=name, images=(), conversation=turns, label=label, source="set")


JOINT = PairScores(
    joint=view(1), per_image=(view(2), view(3)), image=view(4), text=view(5), novelty=Novelty(text=0.4, image=0.7)
)
IMAGES = PairScores(joint=None, per_image=(view(6),), image=view(7), text=None)
TEXT = PairScores(joint=None, per_image=(), image=None, text=view(8))
NOTHING = PairScores(joint=None, per_image=(), image=None, text=None)


def store(tmp_path: Path, table: Any, policy: Policy | None = None, ids: list[str] | None = None) -> Path:
    path = tmp_path / "scores.jsonl"
    own = Policy.create_default(DEFAULT_TAXONOMY) if policy is None else policy
    stored = StoredScores(table=table, policy=own, checkpoint="c" * 64, data="d" * 64)
    write_scores(path, stored, [str(number) for number in range(len(table))] if ids is None else ids)
    return path


def test_scores_are_tabulated_view_by_view() -> None:
    samples = [sample("a"), sample("b", 3), sample("c"), sample("d"), sample("e", 2)]
    scores = [(JOINT, TEXT), (IMAGES,), (TEXT,), (), (TEXT, NOTHING)]
    table = tabulate_scores(DEFAULT_TAXONOMY, samples, scores, np.array([0, 1, 2, 3, 3]))
    assert table.sample_V.tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert table.judged_P.tolist() == [True, True, True, False, False]
    labelled = [table.levels_VL[place].tolist() for place in table.label_view_P[:3]]
    assert labelled == [list(view(1).levels), list(view(7).levels), list(view(8).levels)]
    assert table.label_view_P[3:].tolist() == [-1, -1]
    assert table.novelty_P.tolist() == [0.7, 0, 0, 0, 0]
    assert table.gold_level_P.tolist() == [0, 3, 0, 0, 2]


def test_a_score_that_is_not_finite_leaves_the_sample_without_a_verdict() -> None:
    broken = replace(TEXT, text=RiskScores(types=view(1).types, levels=(float("nan"),) * 4))
    table = tabulate_scores(DEFAULT_TAXONOMY, [sample("a")], [(TEXT, broken)], np.array([0]))
    assert (table.judged_P.tolist(), len(table.sample_V)) == ([False], 0)


def test_a_file_is_read_back_bit_by_bit(tmp_path: Path) -> None:
    table = Simulation(views=2).draw(30, seed=3)
    table = replace(table, types_VC=np.float32(table.types_VC).astype(float), novelty_P=np.linspace(0, 1, 30))
    table = replace(table, levels_VL=np.float32(table.levels_VL).astype(float))
    base = Policy.create_default(DEFAULT_TAXONOMY)
    actions = {name: {**levels, 2: Action.REFUSE} for name, levels in base.actions.items()}
    policy = replace(base, actions=actions, enabled=frozenset({"privacy"}), novelty=NoveltyRule(action=Action.CAUTION))
    stored = read_scores(store(tmp_path, table, policy))
    for name in (
        "types_VC",
        "levels_VL",
        "sample_V",
        "label_view_P",
        "gold_type_P",
        "group_P",
        "novelty_P",
        "judged_P",
    ):
        assert getattr(stored.table, name).tolist() == getattr(table, name).tolist(), name
    assert stored.table.source_P == table.source_P
    assert (stored.policy, stored.checkpoint, stored.data) == (policy, "c" * 64, "d" * 64)


def test_a_file_holds_no_text_and_no_id(tmp_path: Path) -> None:
    table = tabulate_scores(DEFAULT_TAXONOMY, [sample(SECRET)], [(TEXT,)], np.array([0]))
    base = Policy.create_default(DEFAULT_TAXONOMY)
    policy = replace(base, refusals=dict.fromkeys(base.refusals, "Our own words of refusal."))
    text = store(tmp_path, table, policy, ids=[SECRET]).read_text()
    assert SECRET not in text
    assert "neighbour" not in text
    assert "refusal." not in text


@pytest.mark.parametrize(
    ("line", "change", "names"),
    [
        (0, {"format_version": 2}, "1.format_version"),
        (0, {"taxonomy": {}}, "taxonomy"),
        (0, {"policy": {"actions": {"weapons": {}}}}, "weapons"),
        (1, {"level": 9}, "2: the label"),
        (1, {"label_view": 5}, "2.label_view"),
        (1, {"views": [[[0.5], [0.5]]]}, "2.views"),
        (1, {"judged": False}, "2"),
        (2, {"group": "x"}, "3.group"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, line: int, change: dict[str, Any], names: str) -> None:
    path = store(tmp_path, Simulation().draw(3, seed=0))
    lines = path.read_text().splitlines()
    lines[line] = json.dumps(json.loads(lines[line]) | change)
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=names):
        read_scores(path)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_scores(tmp_path / "gone")
    (tmp_path / "empty").write_text("")
    with pytest.raises(ConfigError, match="empty:1"):
        read_scores(tmp_path / "empty")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ConfigError, match="text:1: the line is not JSON"):
        read_scores(tmp_path / "text")
