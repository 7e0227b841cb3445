"""A suite of varied pairs and a row with a policy under which all three decisions occur."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from safety_core.engine.guard import Guard
from safety_core.evaluation.runs.systems import LoadedSystem, SystemSpec, load_system
from safety_core.evaluation.scoring.guard_scores import encode_chunks, score_chunk
from safety_core.evaluation.suites.suite import Suite, load_suite
from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.suite_factory import varied_records, write_suite

MakeRow = Callable[..., LoadedSystem]


@pytest.fixture(scope="session")
def varied_suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return load_suite(write_suite(tmp_path_factory.mktemp("varied"), varied_records(24)))


@pytest.fixture(scope="session")
def mixed_policy(tiny_checkpoint: Path, varied_suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thresholds at the tiny checkpoint's own quantiles, so that it allows, cautions and refuses."""
    row = load_system(SystemSpec(name="probe", checkpoint=tiny_checkpoint))
    model, guard = row.model, Guard(row.model, row.policy)
    samples = [pair.sample for pair in varied_suite.pairs]
    (chunk,) = encode_chunks(model, samples, len(samples))
    views = [view for entry in score_chunk(guard, chunk, 8) for pair in entry.pairs for view in pair.deciding]
    changes = {}
    for level, quantile in ((1, 0.3), (2, 0.5), (3, 0.7)):
        beliefs = sorted({round(sum(view.levels[level:]), 4) for view in views})
        above = int(quantile * len(beliefs))
        # Half way between two scores: the last bits of a score depend on its batch.
        changes[str(level)] = (beliefs[above - 1] + beliefs[above]) / 2
    policy = overlay_policy(
        Policy.create_default(DEFAULT_TAXONOMY),
        {"thresholds": dict.fromkeys(DEFAULT_TAXONOMY.risky_types, changes)},
        DEFAULT_TAXONOMY,
    )
    path = tmp_path_factory.mktemp("policy") / "policy.json"
    path.write_text(json.dumps(policy.to_dict()))
    return path


@pytest.fixture
def make_row(tiny_checkpoint: Path, mixed_policy: Path) -> MakeRow:
    def make(*, use_head: bool = True, use_llm_tokens: bool = True, use_hints: bool = True) -> LoadedSystem:
        return load_system(
            SystemSpec(
                name="row",
                checkpoint=tiny_checkpoint,
                policy=mixed_policy,
                use_head=use_head,
                use_llm_tokens=use_llm_tokens,
                use_hints=use_hints,
            )
        )

    return make
